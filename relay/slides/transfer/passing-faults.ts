import { RelayFault, toFault } from '../../wire/fault.ts'
import type { FaultCode } from '../../wire/fault.ts'

/** Failures that pass by themselves. */
const PASSING: ReadonlySet<FaultCode> = new Set(['unavailable', 'timeout', 'overloaded', 'rate_limited', 'storage_full'])
/** Failures that may be chance, a few times. */
const DUBIOUS: ReadonlySet<FaultCode> = new Set(['hash_mismatch', 'internal'])
const MAX_DUBIOUS = 5

/** Whether what failed may be tried again. @param failures - Of the same thing so far. */
export function isPassing(error: unknown, failures: number): boolean {
  const { code } = toFault(error)
  return PASSING.has(code) || (error instanceof RelayFault && DUBIOUS.has(code) && failures < MAX_DUBIOUS)
}
