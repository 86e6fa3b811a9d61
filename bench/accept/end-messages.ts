/** What an {@link file://./end-main.ts end of an acceptance} and the one that started it tell each other over the IPC channel. */
import { z } from 'zod'
import { FAULT_CODES } from '../../relay/wire/fault.ts'
import { AcceptanceMeasurement, DIRECTIONS } from './acceptance-measurement.ts'
import { SHAPES } from './traffic-shape.ts'

const Hex = z.string().regex(/^([0-9a-f]{2}){16,64}$/i)
const Port = z.int().min(0).max(65_535)

const Plan = z.strictObject({
  idleMillis: z.number(),
  stepMillis: z.number(),
  loads: z.array(z.strictObject({ direction: z.enum(DIRECTIONS), shape: z.enum(SHAPES), bitsPerSecond: z.number() })),
  windows: z.int(),
  windowMillis: z.number(),
})

/** How an end is made, as JSON in the environment variable `KENKYO_ACCEPTANCE_END`. */
export const EndOptions = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('answer'), keyHex: Hex, address: z.string(), port: Port }),
  z.strictObject({
    role: z.literal('measure'), keyHex: Hex, line: z.string(), isSimulated: z.boolean(), plan: Plan,
    paths: z.array(z.strictObject({ name: z.string(), host: z.string(), port: Port, localAddress: z.string().optional() })).min(1).max(2),
  }),
])
export type EndOptions = z.infer<typeof EndOptions>

/** Environment of an end. */
export const EndEnvironment = z.object({ KENKYO_ACCEPTANCE_END: z.string().transform(text => EndOptions.parse(JSON.parse(text))) })

/** From an end. */
export const EndMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready'), port: Port }),
  z.strictObject({ type: z.literal('say'), line: z.string() }),
  z.strictObject({ type: z.literal('measured'), measurement: AcceptanceMeasurement }),
  z.strictObject({ type: z.literal('failed'), code: z.enum(FAULT_CODES), message: z.string() }),
])
export type EndMessage = z.infer<typeof EndMessage>
