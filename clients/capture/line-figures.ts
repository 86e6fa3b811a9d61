/** Numbers as a technician reads them. What is not known is `–`. */
const UNKNOWN = '–'

type Known = number | null | undefined

const isKnown = (value: Known): value is number => value !== null && value !== undefined && Number.isFinite(value)

/** Three digits that matter. */
function digits(value: number): string {
  const size = Math.abs(value)
  return size < 0.005 ? '0' : size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** Milliseconds. */
export const inMillis = (value: Known): string => (isKnown(value) ? `${digits(value)} ms` : UNKNOWN)

/** Bits per second, in megabits. */
export const inMegabits = (value: Known): string => (isKnown(value) ? `${digits(value / 1e6)} Mbit/s` : UNKNOWN)

/** A ratio in percent. What is not nothing is not shown as nothing. */
export function inPercent(ratio: Known): string {
  if (!isKnown(ratio)) return UNKNOWN
  return ratio > 0 && ratio < 0.0001 ? '<0.01 %' : `${digits(100 * ratio)} %`
}

const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]/g

/** Cells that a terminal gives to a text: two for each wide character. @see Unicode Standard Annex #11 */
const cells = (text: string): number => text.length + (text.match(WIDE)?.length ?? 0)

/** Rows as lines, in columns as wide as their widest cell. */
export function inColumns(rows: readonly (readonly string[])[], indent = ''): string[] {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cells(cell))))
  return rows.map(row => `${indent}${row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - cells(cell))).join('  ')}`.trimEnd())
}
