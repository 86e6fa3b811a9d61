import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { RelayFault } from '../../relay/wire/fault.ts'
import { burstLoss } from './packet-loss.ts'

const Ratio = z.number().min(0).max(1)

/** How packets get lost on the way, apart from full queues. */
export const Loss = z.discriminatedUnion('model', [
  /** Each packet by itself. */
  z.strictObject({ model: z.literal('uniform'), ratio: Ratio }),
  /**
   * A line that is either good or bad, and may change with each packet: good to bad with probability `p`,
   * bad to good with `r`.
   *
   * @see E. N. Gilbert, "Capacity of a Burst-Noise Channel", 1960; E. O. Elliott, "Estimates of Error Rates for Codes on Burst-Noise Channels", 1963
   */
  z.strictObject({ model: z.literal('gilbert-elliott'), p: Ratio, r: Ratio, lossInBad: Ratio.default(1), lossInGood: Ratio.default(0) }),
])
export type Loss = z.infer<typeof Loss>

/** How much may wait in front of the bottleneck: so many bytes, or so many milliseconds at its rate. */
const Queue = z.union([z.strictObject({ bytes: z.number().min(1500) }), z.strictObject({ millis: z.number().positive().max(60_000) })])

/** One direction of a line. Everything left out is ideal, except the queue. */
export const DirectionProfile = z.strictObject({
  /** Of IP packets, headers from IP upwards included; without it there is no bottleneck. */
  rateBitsPerSecond: z.number().min(8000).optional(),
  /** From end to end, one way, besides queueing and serialisation. */
  delayMillis: z.number().min(0).max(10_000).default(0),
  /** The delay wanders between `delayMillis` less and more than this. */
  jitterMillis: z.number().min(0).max(5000).default(0),
  /** Each packet's delay is drawn by itself, so that packets overtake each other. Otherwise none ever does. */
  reorders: z.boolean().default(false),
  loss: Loss.default({ model: 'uniform', ratio: 0 }),
  /** Of a bottleneck; whatever arrives when it is full is dropped. */
  queue: Queue.default({ millis: 100 }),
})
export type DirectionProfile = z.infer<typeof DirectionProfile>

/** A line between the node and one place. */
export const LineProfile = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,40}$/),
  /** Where its numbers come from. */
  note: z.string(),
  /** From the place to the node. */
  up: DirectionProfile,
  /** From the node to the place. */
  down: DirectionProfile,
})
export type LineProfile = z.infer<typeof LineProfile>

/** What a line is described by before defaults are filled in. */
export type LineProfileInput = z.input<typeof LineProfile>

/** Fills in the defaults. @throws {RelayFault} `bad_config` for a line that cannot be. */
export function lineProfile(input: unknown): LineProfile {
  const result = LineProfile.safeParse(input)
  if (!result.success) throw new RelayFault('bad_config', `line profile: ${z.prettifyError(result.error)}`)
  return result.data
}

/** What {@link symmetricLine} is made of. */
export interface SymmetricLineOptions {
  readonly roundTripMillis: number
  readonly rateBitsPerSecond?: number | undefined
  /** In each direction, each packet by itself. */
  readonly lossRatio?: number | undefined
  readonly jitterMillis?: number | undefined
  readonly queueMillis?: number | undefined
  readonly name?: string | undefined
}

/** A line that is the same in both directions. An assumption to measure under, not a measurement of any line. */
export function symmetricLine({ roundTripMillis, rateBitsPerSecond, lossRatio = 0, jitterMillis = 0, queueMillis = 100, name = 'symmetric' }: SymmetricLineOptions): LineProfile {
  const direction = {
    ...(rateBitsPerSecond === undefined ? {} : { rateBitsPerSecond }),
    delayMillis: roundTripMillis / 2,
    jitterMillis,
    loss: { model: 'uniform', ratio: lossRatio },
    queue: { millis: queueMillis },
  }
  return lineProfile({ name, note: 'Assumed: chosen to measure under.', up: direction, down: direction })
}

/** What {@link narrowUplink} is made of. */
export interface NarrowUplinkOptions {
  readonly upBitsPerSecond: number
  /** Without it the way down has no bottleneck. */
  readonly downBitsPerSecond?: number | undefined
  readonly roundTripMillis?: number | undefined
  readonly lossRatio?: number | undefined
  readonly queueMillis?: number | undefined
  readonly name?: string | undefined
}

/** A line whose bottleneck is the way up. An assumption to measure under, not a measurement of any line. */
export function narrowUplink({ upBitsPerSecond, downBitsPerSecond, roundTripMillis = 20, lossRatio = 0, queueMillis = 100, name = 'narrow-uplink' }: NarrowUplinkOptions): LineProfile {
  const { up, down } = symmetricLine({ roundTripMillis, lossRatio, queueMillis })
  return lineProfile({
    name,
    note: 'Assumed: chosen to measure under.',
    up: { ...up, rateBitsPerSecond: upBitsPerSecond },
    down: { ...down, ...(downBitsPerSecond === undefined ? {} : { rateBitsPerSecond: downBitsPerSecond }) },
  })
}

/**
 * Lines by name. Every one is an assumption of ours and none a measurement: the notes say what each number
 * was reasoned from. Figures measured under them say how the relay does under such a line, not how it does
 * at a hospital that has one.
 */
export const LINE_PROFILES: Readonly<Record<string, LineProfile>> = Object.fromEntries(
  (
    [
      {
        name: 'lan',
        note: 'Assumed: a switched building network, two or three hops; no bottleneck that the emulator could reach.',
        up: { delayMillis: 0.25 },
        down: { delayMillis: 0.25 },
      },
      {
        name: 'sinet',
        note: 'Assumed: two university hospitals on an academic backbone about 1000 km apart: 5 ms of light in fibre one way, 3 ms for detours and routers; access far wider than one stream; hardly any loss.',
        up: { delayMillis: 8, jitterMillis: 0.2, loss: { model: 'uniform', ratio: 0.000_01 } },
        down: { delayMillis: 8, jitterMillis: 0.2, loss: { model: 'uniform', ratio: 0.000_01 } },
      },
      {
        name: 'fibre-best-effort',
        note: 'Assumed: a shared 1 Gbit/s fibre access at a quiet hour, of which a few hundred Mbit/s are left; rates are rounded down to what the emulator carries with room to spare.',
        up: { rateBitsPerSecond: 100e6, delayMillis: 7, jitterMillis: 1, loss: { model: 'uniform', ratio: 0.000_1 }, queue: { millis: 50 } },
        down: { rateBitsPerSecond: 200e6, delayMillis: 7, jitterMillis: 1, loss: { model: 'uniform', ratio: 0.000_1 }, queue: { millis: 50 } },
      },
      {
        name: 'evening-best-effort',
        note: 'Assumed: the same access when its shared concentrator is full in the evening: less rate, a deep queue, loss in bursts of four packets.',
        up: { rateBitsPerSecond: 50e6, delayMillis: 12, jitterMillis: 8, loss: burstLoss({ meanRatio: 0.005, meanBurstPackets: 4 }), queue: { millis: 200 } },
        down: { rateBitsPerSecond: 40e6, delayMillis: 12, jitterMillis: 8, loss: burstLoss({ meanRatio: 0.005, meanBurstPackets: 4 }), queue: { millis: 200 } },
      },
      {
        name: 'lte',
        note: 'Assumed: one LTE modem with a fair signal in a cell that others use too; retransmissions on the radio show as jitter, handovers as bursts, the base station keeps a deep queue.',
        up: { rateBitsPerSecond: 10e6, delayMillis: 25, jitterMillis: 10, loss: burstLoss({ meanRatio: 0.003, meanBurstPackets: 5 }), queue: { millis: 300 } },
        down: { rateBitsPerSecond: 40e6, delayMillis: 25, jitterMillis: 10, loss: burstLoss({ meanRatio: 0.003, meanBurstPackets: 5 }), queue: { millis: 300 } },
      },
      {
        name: 'satellite',
        note: 'Assumed: a geostationary satellite: twice 35,786 km and more of light one way (at least 239 ms) and framing on top; rates of a small terminal; fades as bursts of eight packets.',
        up: { rateBitsPerSecond: 5e6, delayMillis: 275, jitterMillis: 5, loss: burstLoss({ meanRatio: 0.005, meanBurstPackets: 8 }), queue: { millis: 300 } },
        down: { rateBitsPerSecond: 30e6, delayMillis: 275, jitterMillis: 5, loss: burstLoss({ meanRatio: 0.005, meanBurstPackets: 8 }), queue: { millis: 300 } },
      },
    ] satisfies LineProfileInput[]
  ).map(input => [input.name, lineProfile(input)]),
)

/**
 * A line as a person names it on a command line: by name, as JSON, or as a JSON file.
 *
 * @throws {RelayFault} `bad_config` when it is none of these.
 */
export function parseLineProfile(text: string): LineProfile {
  const named = LINE_PROFILES[text]
  if (named !== undefined) return named
  const isInline = text.trimStart().startsWith('{')
  if (!isInline && !text.endsWith('.json')) {
    throw new RelayFault('bad_config', `no line is called ${JSON.stringify(text)}; there are ${Object.keys(LINE_PROFILES).join(', ')}, or give JSON, or a .json file`)
  }
  try {
    return lineProfile(JSON.parse(isInline ? text : readFileSync(text, 'utf8')))
  } catch (cause) {
    if (cause instanceof RelayFault) throw cause
    throw new RelayFault('bad_config', `line profile ${isInline ? 'given' : text} cannot be read as JSON`, { cause })
  }
}
