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
  counts(leaf: string): Promise<BothCounts>
  change(leaf: string, profile: LineProfile): Promise<void>
  /** Rejects when it dies; never resolves. */
  readonly failed: Promise<never>
}
