/** Part of a file, in bytes. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}

/** Several ranges that are read at once. */
export interface MergedRange extends ByteRange {
  /** Places in the list of those that lie within. */
  readonly members: readonly number[]
}

/** Bytes between two ranges that are rather read than skipped: a read of its own takes as long. */
const MOST_BETWEEN = 64 * 1024
/** What is read at once, unless one range is longer. */
const MOST_AT_ONCE = 4 * 1024 * 1024

/**
 * Puts ranges together that lie near each other in a file, so that it is read in few large pieces. Empty ones are left
 * out. Does no I/O.
 */
export function mergeRanges(ranges: readonly ByteRange[]): MergedRange[] {
  const order = ranges.map((_, place) => place).filter(place => (ranges[place]?.length ?? 0) > 0)
  order.sort((a, b) => (ranges[a]?.offset ?? 0) - (ranges[b]?.offset ?? 0))
  const merged: { offset: number; length: number; members: number[] }[] = []
  for (const place of order) {
    const { offset, length } = ranges[place] ?? { offset: 0, length: 0 }
    const last = merged.at(-1)
    const end = last === undefined ? 0 : last.offset + last.length
    if (last !== undefined && offset - end <= MOST_BETWEEN && Math.max(end, offset + length) - last.offset <= MOST_AT_ONCE) {
      last.length = Math.max(end, offset + length) - last.offset
      last.members.push(place)
    } else merged.push({ offset, length, members: [place] })
  }
  return merged
}
