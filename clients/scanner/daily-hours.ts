import { RelayFault } from '../../relay/wire/fault.ts'

/** A stretch of every day in which sending is allowed, in minutes since local midnight; it may go over midnight. */
export interface DailyHours {
  readonly from: number
  readonly to: number
}

const HOURS = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24):([0-5]\d)$/
const MINUTES_PER_DAY = 24 * 60

/** Reads `18:00-07:00`. @throws {RelayFault} `bad_config`. */
export function parseDailyHours(text: string): DailyHours {
  const match = HOURS.exec(text.trim())
  const [fromHour, fromMinute, toHour, toMinute] = (match ?? []).slice(1).map(Number)
  if (fromHour === undefined || fromMinute === undefined || toHour === undefined || toMinute === undefined) throw new RelayFault('bad_config', 'expected hours of a day such as 18:00-07:00')
  const [from, to] = [60 * fromHour + fromMinute, 60 * toHour + toMinute]
  if (to > MINUTES_PER_DAY || from === to) throw new RelayFault('bad_config', 'expected hours of a day such as 18:00-07:00')
  return { from, to }
}

/** Whether a moment lies within. Local time, as the wall clock of the place shows it: a change to or from summer time shortens or lengthens that night. */
export function isWithin({ from, to }: DailyHours, moment: Date): boolean {
  const minutes = 60 * moment.getHours() + moment.getMinutes()
  return from < to ? minutes >= from && minutes < to : minutes >= from || minutes < to
}
