import { join } from 'node:path'
import { z } from 'zod'
import { flag, numeric } from '../../relay/runtime/config.ts'
import { stateDirectory } from '../../relay/runtime/directories.ts'
import { EntrySettings } from '../../relay/runtime/node-access.ts'
import { LANGUAGES } from '../../relay/runtime/terminal-language.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { bitsPerSecond } from '../../relay/wire/units.ts'
import { parseDailyHours } from './daily-hours.ts'

/** By what chunks reach the node. */
export const SLIDE_CARRIERS = ['link', 'https'] as const

const stateDir = z.string().min(1).default(() => join(stateDirectory(), 'scanner'))

const hours = z.string().transform((text, context) => {
  try {
    return parseDailyHours(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof RelayFault ? error.message : 'expected hours of a day' })
    return z.NEVER
  }
})

/** What `kenkyo scan` is told. `docs/SCANNER.md` explains each. */
export const ScanSettings = z.strictObject({
  ...EntrySettings.shape,
  /** A folder whose files are taken up as they appear. */
  watch: z.string().min(1).optional(),
  stateDir,
  carrier: z.enum(SLIDE_CARRIERS).default('link'),
  /** Megabits per second. */
  limitRate: numeric(z.number().min(0.1).max(100_000)).transform(megabits => bitsPerSecond(1e6 * megabits)).optional(),
  between: hours.optional(),
  /** Slides that are sent side by side. */
  atOnce: numeric(z.int().min(1).max(8)).default(1),
  /** How long a file must stand still, in seconds. */
  stillSeconds: numeric(z.number().min(0.1).max(3600)).default(5),
  /** After standing still so long, what does not open is no slide, in seconds. */
  patienceSeconds: numeric(z.number().min(0.1).max(86_400)).default(60),
  /** Tries of a slide whose file cannot be read, or that the node fails at; without end where a folder is watched. */
  attempts: numeric(z.int().min(1).max(1000)).default(5),
  /** What may be kept of the slide's description, words separated by commas; needs `policy`. */
  keep: z.string().transform(text => text.split(',').map(word => word.trim()).filter(word => word !== '')).default([]),
  policy: z.string().min(1).optional(),
  /** Where to note which pseudonym stands for which case number; nowhere without it. */
  pseudonymList: z.string().min(1).optional(),
  json: flag().default(false),
  lang: z.enum(LANGUAGES).optional(),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('warn'),
})
export type ScanSettings = z.infer<typeof ScanSettings>

/** What `kenkyo scan pause`, `resume` and `status` are told. */
export const QueueSettings = z.strictObject({
  stateDir,
  json: flag().default(false),
  lang: z.enum(LANGUAGES).optional(),
})
export type QueueSettings = z.infer<typeof QueueSettings>

/** What `kenkyo scan export` is told. */
export const ExportSettings = z.strictObject({
  ...EntrySettings.shape,
  /** Where the file goes; named for the slide, in the working directory, without it. */
  out: z.string().min(1).optional(),
  /** Replaces a file that is there. */
  force: flag().default(false),
  json: flag().default(false),
  lang: z.enum(LANGUAGES).optional(),
})
export type ExportSettings = z.infer<typeof ExportSettings>
