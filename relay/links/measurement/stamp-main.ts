/** STAMP for a command line: options as a person gives them, a report at the end. */
import { once } from 'node:events'
import { z } from 'zod'
import { RelayFault } from '../../wire/fault.ts'
import { bytes, millis } from '../../wire/units.ts'
import { MAX_STAMP_BYTES, STAMP_PORT, stampKey } from './stamp-packet.ts'
import { StampReflector } from './stamp-reflector.ts'
import { StampSender } from './stamp-sender.ts'
import { MAX_SESSION_PACKETS } from './stamp-session.ts'
import type { AddressInfo } from 'node:net'
import type { StampReflectorTotals } from './stamp-reflector.ts'
import type { StampSample } from './stamp-session.ts'
import type { StampSummary } from './stamp-summary.ts'

/** Shared secret of authenticated mode, in hexadecimal. */
const keyHex = z.string().regex(/^([0-9a-f]{2}){16,64}$/i, 'expected 16 to 64 bytes in hexadecimal').optional()

/** What a reflector can be told. */
export const StampReflectorSettings = z.strictObject({
  port: z.number().int().min(0).max(65_535).default(STAMP_PORT),
  address: z.union([z.ipv4(), z.ipv6()]).optional(),
  keyHex,
  isStateful: z.boolean().default(true),
})
export type StampReflectorSettings = z.input<typeof StampReflectorSettings>

/** What a sender can be told. */
export const StampSenderSettings = z.strictObject({
  host: z.string().min(1).max(253),
  port: z.number().int().min(1).max(65_535).default(STAMP_PORT),
  keyHex,
  localAddress: z.union([z.ipv4(), z.ipv6()]).optional(),
  count: z.number().int().min(1).max(MAX_SESSION_PACKETS).default(100),
  intervalMillis: z.number().min(1).max(60_000).default(20),
  /** UDP payload. */
  sizeBytes: z.number().int().min(44).max(MAX_STAMP_BYTES).optional(),
  replyTimeoutMillis: z.number().min(1).max(60_000).default(1000),
  reflector: z.enum(['stateful', 'stateless', 'unknown']).default('unknown'),
})
export type StampSenderSettings = z.input<typeof StampSenderSettings>

/**
 * Reflects until `signal` aborts. @param onListening - Told where, once.
 * @throws {RelayFault} `bad_config`, `address_in_use`
 */
export async function runStampReflector(settings: StampReflectorSettings, signal: AbortSignal, onListening?: (address: AddressInfo) => void): Promise<StampReflectorTotals> {
  const { keyHex: secret, ...options } = parse(StampReflectorSettings, settings)
  await using reflector = await StampReflector.open({ ...options, key: keyOf(secret) })
  onListening?.(reflector.address)
  if (!signal.aborted) await once(signal, 'abort')
  return reflector.totals
}

/**
 * Measures the way to a reflector and back. When `signal` aborts, settles with what was measured until then.
 *
 * @param onSample - Called with the stamps of each answered packet.
 * @throws {RelayFault} `bad_config`, `unavailable`
 */
export async function runStampSender(settings: StampSenderSettings, signal: AbortSignal, onSample?: (sample: StampSample) => void): Promise<StampSummary> {
  const { keyHex: secret, intervalMillis, sizeBytes, replyTimeoutMillis, ...options } = parse(StampSenderSettings, settings)
  await using sender = await StampSender.open({
    ...options,
    key: keyOf(secret),
    interval: millis(intervalMillis),
    size: sizeBytes === undefined ? undefined : bytes(sizeBytes),
    replyTimeout: millis(replyTimeoutMillis),
    onSample,
  })
  return await sender.run(signal)
}

const keyOf = (secret: string | undefined): ReturnType<typeof stampKey> | undefined => (secret === undefined ? undefined : stampKey(Buffer.from(secret, 'hex')))

function parse<Schema extends z.ZodType>(schema: Schema, settings: unknown): z.output<Schema> {
  const result = schema.safeParse(settings)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error), { cause: result.error })
  return result.data
}
