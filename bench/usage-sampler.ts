import type { Millis } from '../relay/wire/units.ts'
import type { ProcessUsage } from './process-usage.ts'

/** Readings of one group of processes, one per sampling after the first. */
export interface UsageSeries {
  /** Share of one core. */
  readonly cpuRatio: number[]
  readonly residentBytes: number[]
}

/**
 * Turns totals of CPU time into shares of a core, per group of processes. Does no I/O: the caller reads
 * `/proc` and the clock.
 */
export class UsageSampler {
  readonly #series = new Map<string, UsageSeries>()
  readonly #cpuSeconds = new Map<string, number>()
  #sampledAt: Millis | undefined

  /** Takes one reading of every group. A process that came or went since the last one makes the share of its group a little wrong. */
  sample(groups: ReadonlyMap<string, readonly ProcessUsage[]>, now: Millis): void {
    const seconds = this.#sampledAt === undefined ? undefined : (now - this.#sampledAt) / 1000
    this.#sampledAt = now
    for (const [name, processes] of groups) {
      const cpuSeconds = processes.reduce((sum, usage) => sum + usage.cpuSeconds, 0)
      const before = this.#cpuSeconds.get(name)
      this.#cpuSeconds.set(name, cpuSeconds)
      if (seconds === undefined || before === undefined || seconds <= 0) continue
      const series = this.series(name)
      series.cpuRatio.push(Math.max(0, cpuSeconds - before) / seconds)
      series.residentBytes.push(processes.reduce((sum, usage) => sum + usage.residentBytes, 0))
    }
  }

  /** What was read of one group; empty before its second reading. */
  series(name: string): UsageSeries {
    let series = this.#series.get(name)
    if (series === undefined) this.#series.set(name, (series = { cpuRatio: [], residentBytes: [] }))
    return series
  }
}
