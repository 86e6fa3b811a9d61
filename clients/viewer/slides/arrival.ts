/** How far one level is. */
export interface LevelProgress {
  readonly level: number
  /** Chunks that are here, and that there are; null while the level is not announced. */
  readonly here: number
  readonly chunks: number | null
}

/** One stretch of the heat line: how much of a level is here, and how wide the level is drawn. */
export interface HeatStretch {
  readonly level: number
  /** 0 to 1. */
  readonly share: number
  /** Part of the line, 0 to 1: levels count by the logarithm of their size, else only the finest could be seen. */
  readonly width: number
}

/**
 * The heat line of a slide, the coarsest level first.
 *
 * @param tiles - Of each level, the finest first.
 * @param progress - Of the levels that the node knows.
 */
export function heatLine(tiles: readonly number[], progress: readonly LevelProgress[]): HeatStretch[] {
  const weights = tiles.map(count => Math.log2(1 + count))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight, level) => ({ level, width: weight / total, share: shareOf(progress.find(known => known.level === level)) })).reverse()
}

function shareOf(progress: LevelProgress | undefined): number {
  if (progress?.chunks === undefined || progress.chunks === null || progress.chunks === 0) return 0
  return Math.min(1, progress.here / progress.chunks)
}

/**
 * How much of a slide is here, 0 to 1, by tiles: a level that is not announced counts with what it will have.
 *
 * @param tiles - Of each level, the finest first.
 */
export function arrivedShare(tiles: readonly number[], progress: readonly LevelProgress[]): number {
  const total = tiles.reduce((sum, count) => sum + count, 0)
  const here = tiles.reduce((sum, count, level) => sum + count * shareOf(progress.find(known => known.level === level)), 0)
  return total === 0 ? 0 : here / total
}
