import type { LinkContract } from '../../wire/link.ts'

/** Minutes since local midnight. @param at - Milliseconds since the epoch. */
export function localMinuteOfDay(at: number): number {
  const time = new Date(at)
  return 60 * time.getHours() + time.getMinutes()
}

const minutesOf = (time: string): number => 60 * Number(time.slice(0, 2)) + Number(time.slice(3))

/**
 * Whether `bulk` may flow at a minute of the day: from the first of its hours until just before the last, past midnight
 * where they say so. Hours that end when they begin are the whole day.
 */
export function isBulkTime(hours: LinkContract['bulkHours'], minuteOfDay: number): boolean {
  if (hours === undefined) return true
  const [from, to] = [minutesOf(hours.from), minutesOf(hours.to)]
  if (from < to) return minuteOfDay >= from && minuteOfDay < to
  return from === to || minuteOfDay >= from || minuteOfDay < to
}
