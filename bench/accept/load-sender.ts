import { millis } from '../../relay/wire/units.ts'
import { delayQuantiles } from './delays.ts'
import { HEADER_BYTES, writeDatagram } from './test-datagram.ts'
import { IP_UDP_BYTES } from './traffic-shape.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Departure } from './acceptance-measurement.ts'
import type { LoadSchedule } from './traffic-shape.ts'

/** What a {@link sendLoad} is told. */
export interface LoadOptions {
  readonly schedule: LoadSchedule
  readonly durationMillis: number
  readonly token: bigint
  readonly step: number
  /** Milliseconds on a clock that never steps; it stamps the datagrams. */
  readonly now: () => number
  readonly clock: Clock
  /** Hands one datagram to each path. */
  readonly send: (datagram: Buffer) => void
}

const TICK = millis(1)
/** A process that was not run for so long shifts the rest instead of making up for it: a burst would be ours, not the recording's. */
const MOST_BEHIND_MILLIS = 10
/** How many datagrams tell how late they left. */
const LATENESS_EVERY = 8

/** Sends a load by its schedule. @throws The signal's reason as soon as it aborts. */
export async function sendLoad({ schedule, durationMillis, token, step, now, clock, send }: LoadOptions, signal: AbortSignal): Promise<Departure> {
  let startedAt = now()
  const beganAt = startedAt
  let sent = 0
  let ipBytes = 0
  const lateness: number[] = []
  for (const { atMillis, bytes } of schedule.datagrams(durationMillis)) {
    let at = now()
    while (at < startedAt + atMillis) {
      await clock.sleep(TICK, signal)
      at = now()
    }
    const late = at - startedAt - atMillis
    if (sent % LATENESS_EVERY === 0) lateness.push(late)
    if (late > MOST_BEHIND_MILLIS) startedAt += late
    const datagram = Buffer.alloc(Math.max(HEADER_BYTES, bytes))
    writeDatagram(datagram, { kind: 'load', token, step, sequence: sent, sentAt: at })
    send(datagram)
    sent++
    ipBytes += datagram.length + IP_UDP_BYTES
  }
  // The last image is over when the next would begin.
  const rest = startedAt + durationMillis - now()
  if (rest > 0) await clock.sleep(millis(rest), signal)
  return { sent, ipBytes, millis: now() - beganAt, lateMillis: delayQuantiles(lateness)?.p99 ?? 0 }
}
