/** Numbers as an engineer reads them, with their units. `–` is what is not known. */
export const UNKNOWN = '–'

const digits = (value: number): string => {
  const size = Math.abs(value)
  return size === 0 ? '0' : size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** Milliseconds. */
export const inMillis = (value: number | null | undefined): string => (value === null || value === undefined ? UNKNOWN : `${digits(value)} ms`)

/** A ratio as a percentage; what is not nothing is not shown as nothing. */
export function inPercent(ratio: number | null | undefined): string {
  if (ratio === null || ratio === undefined) return UNKNOWN
  if (ratio > 0 && ratio < 0.0001) return '<0.01 %'
  return `${digits(ratio * 100)} %`
}

/** Bits per second as megabits. */
export const inMegabits = (rate: number | null | undefined): string => (rate === null || rate === undefined ? UNKNOWN : `${digits(rate / 1e6)} Mbit/s`)

/** A count with its thousands apart. */
export const inFull = (count: number): string => Math.round(count).toLocaleString('en-US').replaceAll(',', ' ')

/** A duration of seconds as its two largest units. */
export function inUnits(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const parts = [[Math.floor(whole / 86_400), 'd'], [Math.floor(whole / 3600) % 24, 'h'], [Math.floor(whole / 60) % 60, 'min'], [whole % 60, 's']] as const
  const first = parts.findIndex(([count]) => count > 0)
  return first < 0 ? '0 s' : parts.slice(first, first + 2).filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(' ')
}

/** Local time of day. @param at - Milliseconds since the epoch. */
export function timeOfDay(at: number): string {
  const time = new Date(at)
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map(part => String(part).padStart(2, '0')).join(':')
}
