import type { Delays } from './acceptance-measurement.ts'

/** Quantiles (nearest rank) of some delays; undefined of none. */
export function delayQuantiles(delays: Float64Array | readonly number[]): Delays | undefined {
  const sorted = Float64Array.from(delays).sort()
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return sorted.length === 0 ? undefined : { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }
}
