import { pino } from 'pino'
import { RelayFault } from '../wire/fault.ts'
import type { DestinationStream, Logger } from 'pino'

export type { Logger } from 'pino'

/** What {@link createLogger} may be told. */
export interface LogOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /** Which program speaks: `node`, `capture`. */
  readonly program: string
  readonly destination?: DestinationStream
}

/** A logged error: a fault's code and sentence, or, for a bug, name and stack frames without the message, which may quote data. */
function serializeError(thrown: unknown): unknown {
  if (thrown instanceof RelayFault) {
    return { code: thrown.code, message: thrown.message, cause: thrown.cause === undefined ? undefined : serializeError(thrown.cause) }
  }
  if (!(thrown instanceof Error)) return { name: typeof thrown }
  const code = (thrown as NodeJS.ErrnoException).code
  const frames = thrown.stack?.split('\n').filter(line => /^\s+at /.test(line)).slice(0, 12)
  return { name: thrown.name, code, stack: frames }
}

/**
 * The root logger. JSON lines on standard error, one fixed sentence and fields each.
 *
 * Whatever could identify a patient goes into a top-level `phi` field, which is removed here. Deeper
 * nesting is not covered.
 */
export function createLogger(options: LogOptions): Logger {
  return pino(
    {
      level: options.level,
      base: { program: options.program },
      redact: { paths: ['phi'], remove: true },
      serializers: { err: serializeError },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    options.destination ?? pino.destination({ fd: 2, sync: true }),
  )
}
