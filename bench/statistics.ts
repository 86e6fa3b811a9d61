/**
 * The quantile of a sample, interpolated linearly between its neighbours.
 *
 * @param share - From 0 to 1.
 * @throws {Error} When the sample is empty: there is no such number.
 * @see R. J. Hyndman, Y. Fan, "Sample Quantiles in Statistical Packages", 1996, type 7
 */
export function quantile(sample: readonly number[], share: number): number {
  if (sample.length === 0) throw new Error('an empty sample has no quantiles')
  const sorted = sample.toSorted((a, b) => a - b)
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)] ?? 0
  const above = sorted[Math.ceil(position)] ?? 0
  return below + (above - below) * (position - Math.floor(position))
}

/** The median of a sample. @throws {Error} When it is empty. */
export const median = (sample: readonly number[]): number => quantile(sample, 0.5)

/** The arithmetic mean of a sample. @throws {Error} When it is empty. */
export function mean(sample: readonly number[]): number {
  if (sample.length === 0) throw new Error('an empty sample has no mean')
  return sample.reduce((sum, value) => sum + value, 0) / sample.length
}

/**
 * How much the sample grew from its beginning to its end, outliers aside: the median of its last fifth
 * less the median of its first.
 *
 * @throws {Error} When it is empty.
 */
export function growth(sample: readonly number[]): number {
  const fifth = Math.max(1, Math.floor(sample.length / 5))
  return median(sample.slice(-fifth)) - median(sample.slice(0, fifth))
}

/** Student's t, two-sided 95 %, for 1 to 10 degrees of freedom; beyond them it is taken as constant, which is wider than true. */
const STUDENT_T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]

/** Bounds of the 95 % confidence interval of a mean, its samples taken as independent and normal; undefined for fewer than two samples. */
export function confidenceInterval(sample: readonly number[]): { readonly low: number; readonly high: number } | undefined {
  if (sample.length < 2) return undefined
  const centre = mean(sample)
  const variance = sample.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (sample.length - 1)
  const t = STUDENT_T[Math.min(sample.length - 1, STUDENT_T.length) - 1] ?? Infinity
  const half = t * Math.sqrt(variance / sample.length)
  return { low: centre - half, high: centre + half }
}

/** Beyond this many samples the binomial distribution is taken as normal. */
const EXACT_SAMPLES = 100

/**
 * Bounds of a confidence interval of a median of at least 95 %, by order statistics: nothing is assumed of the
 * distribution but that the samples are independent. Undefined for fewer than six samples, which cannot have one.
 *
 * @see H. A. David, H. N. Nagaraja, "Order Statistics", 2003, section 7.1
 */
export function medianInterval(sample: readonly number[]): { readonly low: number; readonly high: number } | undefined {
  const { length } = sample
  const rank = length > EXACT_SAMPLES ? Math.floor((length - 1.96 * Math.sqrt(length)) / 2) : exactRank(length)
  const sorted = sample.toSorted((a, b) => a - b)
  const [low, high] = [sorted[rank - 1], sorted[length - rank]]
  return low === undefined || high === undefined ? undefined : { low, high }
}

/** The largest rank r of which the r-th smallest and the r-th largest sample enclose the median in 95 % of all cases; 0 if there is none. */
function exactRank(length: number): number {
  let outside = 0
  let probability = 0.5 ** length
  for (let rank = 0; rank < length / 2; rank++) {
    outside += 2 * probability
    if (outside > 0.05) return rank
    probability *= (length - rank) / (rank + 1)
  }
  return 0
}
