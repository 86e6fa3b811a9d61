import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { RelayFault } from '../wire/fault.ts'

/** Where settings come from; later ones win. */
export interface ConfigSources {
  /** A JSON file, named by the person who started the program. */
  readonly file?: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Command-line flags, camel-cased; undefined where not given. */
  readonly flags: Readonly<Record<string, unknown>>
}

/** `listenPort` → `KENKYO_LISTEN_PORT`. */
export const environmentName = (key: string): string =>
  `KENKYO_${key.replaceAll(/[A-Z]/g, letter => `_${letter}`).toUpperCase()}`

/** `listenPort` → `--listen-port`. */
export const flagName = (key: string): string => `--${key.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`

/** A number that may arrive as text, from the environment or a flag. */
export const numeric = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess(value => (typeof value === 'string' && value.trim() !== '' ? Number(value) : value), schema)

/** A truth value that may arrive as text. */
export const flag = () =>
  z.preprocess(value => (value === 'true' ? true : value === 'false' ? false : value), z.boolean())

function readConfigFile(path: string, mistakes: string[]): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'))
    const result = z.record(z.string(), z.unknown()).safeParse(parsed)
    if (result.success) return result.data
    mistakes.push(`${path}: expected one JSON object`)
  } catch (error) {
    mistakes.push(`${path}: ${error instanceof SyntaxError ? 'is not JSON' : 'cannot be read'}`)
  }
  return {}
}

/**
 * Parses a program's settings once, at its start: defaults, then file, then environment, then flags.
 *
 * @param schema - A flat strict object of settings; each key is a file key, an environment variable and a flag.
 * @throws {RelayFault} `bad_config` with every mistake in one message, each naming where it was made.
 */
export function parseConfig<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  sources: ConfigSources,
): z.infer<z.ZodObject<Shape>> {
  const mistakes: string[] = []
  const fromFile = sources.file === undefined ? {} : readConfigFile(sources.file, mistakes)
  const merged: Record<string, unknown> = {}
  const origins = new Map<string, string>()
  for (const [key, value] of Object.entries(fromFile)) {
    merged[key] = value
    origins.set(key, `${sources.file ?? ''}: ${key}`)
  }
  for (const key of Object.keys(schema.shape)) {
    const fromEnvironment = sources.environment[environmentName(key)]
    if (fromEnvironment !== undefined && fromEnvironment !== '') {
      merged[key] = fromEnvironment
      origins.set(key, environmentName(key))
    }
    if (sources.flags[key] !== undefined) {
      merged[key] = sources.flags[key]
      origins.set(key, flagName(key))
    }
  }
  const result = schema.strict().safeParse(merged)
  if (!result.success) {
    for (const issue of result.error.issues) {
      const key = String(issue.path[0] ?? '')
      const where = issue.code === 'unrecognized_keys' ? (sources.file ?? 'configuration') : (origins.get(key) ?? flagName(key))
      mistakes.push(`${where}: ${issue.message}`)
    }
  }
  if (!result.success || mistakes.length > 0) throw new RelayFault('bad_config', mistakes.join('\n'))
  return result.data
}
