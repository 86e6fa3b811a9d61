import type { Language } from '../i18n.ts'

const DAY_MILLIS = 86_400_000
const UNITS = [[1e9, 'Gbit/s'], [1e6, 'Mbit/s'], [1e3, 'kbit/s']] as const

/** Date and time to the second. @param millis - Since the epoch. */
export function timeText(language: Language, millis: number): string {
  const shape = { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false } as const
  return new Intl.DateTimeFormat(language === 'ja' ? 'ja-JP' : 'en-CA', shape).format(millis)
}

/** Whole days until then, rounded down; negative when it is over. */
export const daysUntil = (millis: number, nowMillis: number): number => Math.floor((millis - nowMillis) / DAY_MILLIS)

/** @param bitsPerSecond - To three digits, with its unit. */
export function rateText(bitsPerSecond: number): string {
  const [divisor, unit] = UNITS.find(([least]) => bitsPerSecond >= least) ?? [1, 'bit/s']
  const value = bitsPerSecond / divisor
  return `${value >= 100 || divisor === 1 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ${unit}`
}

/** In per cent, to what can be told apart. */
export const ratioText = (ratio: number): string => `${(ratio * 100).toFixed(ratio < 0.1 ? 2 : 1)} %`

/** A hash as it is read out: groups of four digits. */
export const groupsOf = (hash: string): string[] => hash.match(/.{1,4}/g) ?? []
