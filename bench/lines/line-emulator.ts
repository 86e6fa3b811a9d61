import type { LineCounts } from './line-counts.ts'
import type { LineProfile } from './profiles.ts'

/** Both directions of one line; up is from the leaf to the node. */
export interface BothCounts {
  readonly up: LineCounts
  readonly down: LineCounts
}

/** What joins the leaves to the node. */
export interface LineEmulator extends AsyncDisposable {
  /** How it works, for reports: `user-space, realtime` or `netem`. */
  readonly description: string
  /** @param line - Its name, here and below. */
  counts(line: string): Promise<BothCounts>
  change(line: string, profile: LineProfile): Promise<void>
  cut(line: string, isCut: boolean): Promise<void>
  /** Rejects when it dies; never resolves. */
  readonly failed: Promise<never>
}
