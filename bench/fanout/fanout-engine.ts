import type { FanoutSchedule } from './fanout-schedule.ts'

/** Who forwards. */
export const ENGINES = ['kenkyo', 'mediasoup', 'janus', 'pion'] as const
export type EngineName = (typeof ENGINES)[number]

/** How an engine is started. */
export interface EngineOptions {
  readonly schedule: FanoutSchedule
  /** The port on loopback that RTP will come from. */
  readonly sourcePort: number
  /** Words before a command that bind it to the engine's CPU. */
  readonly enter: readonly string[]
  readonly directory: string
  readonly signal: AbortSignal
}

/** One viewer's half of a handshake. */
export interface EngineOffer {
  readonly sdp: string
  /** Gives the engine the viewer's answer. @throws {RelayFault} when it refuses it. */
  readonly accept: (answer: string) => Promise<void>
}

/** An SFU in processes of its own that sends everything it gets to every viewer. */
export interface FanoutEngine extends AsyncDisposable {
  /** Of the process whose tree is the engine. */
  readonly pid: number
  /** UDP ports on loopback that take RTP, one for each track. */
  readonly ports: readonly number[]
  /** Makes room for one more viewer. @throws {RelayFault} when it cannot. */
  offer(): Promise<EngineOffer>
}
