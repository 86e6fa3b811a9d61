/** What the two ends of an acceptance tell each other: one JSON document per line, inside TLS with a pre-shared key. */
import { z } from 'zod'
import { Departure, Reception } from './acceptance-measurement.ts'
import { SHAPES } from './traffic-shape.ts'
import { MOST_DATAGRAMS } from './step-reception.ts'

/** What an answering end sends at most, whoever asks: a measurement, not a flood. */
export const MOST_BITS_PER_SECOND = 150e6
export const MOST_STEP_MILLIS = 120_000

const Step = z.int().min(1).max(65_535)

/** To the answering end. */
export const AcceptanceRequest = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('open'), protocol: z.literal(1) }),
  /** Be ready for a load. */
  z.strictObject({ type: z.literal('receive'), step: Step, datagrams: z.int().min(1).max(MOST_DATAGRAMS) }),
  /** The load is over: tell what came. */
  z.strictObject({ type: z.literal('tell'), step: Step, sent: z.int().min(0).max(MOST_DATAGRAMS) }),
  /** Send a load. */
  z.strictObject({
    type: z.literal('send'), step: Step, shape: z.enum(SHAPES),
    bitsPerSecond: z.number().min(1e5).max(MOST_BITS_PER_SECOND), durationMillis: z.number().min(100).max(MOST_STEP_MILLIS),
  }),
])
export type AcceptanceRequest = z.infer<typeof AcceptanceRequest>

/** From the answering end: one answer to each request, in their order. */
export const AcceptanceAnswer = z.discriminatedUnion('type', [
  /** The token as 16 hexadecimal digits; the port of STAMP, and its key. */
  z.strictObject({ type: z.literal('opened'), token: z.string().regex(/^[0-9a-f]{16}$/), stampPort: z.int().min(1).max(65_535), stampKeyHex: z.string().regex(/^[0-9a-f]{64}$/) }),
  z.strictObject({ type: z.literal('ready') }),
  z.strictObject({ type: z.literal('received'), reception: Reception }),
  z.strictObject({ type: z.literal('sent'), departure: Departure }),
  z.strictObject({ type: z.literal('refused'), code: z.enum(['busy', 'bad_message', 'no_path']) }),
])
export type AcceptanceAnswer = z.infer<typeof AcceptanceAnswer>

/** A line longer than this is no message. */
export const MOST_LINE_BYTES = 2 * 2 ** 20
