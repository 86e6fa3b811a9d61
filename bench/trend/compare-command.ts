import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { RelayFault } from '../../relay/wire/fault.ts'
import { writeDocument } from '../write-document.ts'
import { compareReports } from './compare-reports.ts'
import { decodeReports } from './compared-documents.ts'
import { formatComparison } from './comparison-table.ts'
import type { ReportSet } from './compared-documents.ts'

/** Where the figures of releases are kept. */
export const RESULTS = resolve(import.meta.dirname, '../results')
/** So many digits of a commit at least. */
const COMMIT = /^[0-9a-f]{7,40}$/

/** `compare A B`: what two documents differ in. */
export const compareCommand = (): Command =>
  new Command('compare')
    .description('Print what each figure of two documents differs in, beside its noise. Measures nothing.')
    .argument('<a>', 'a document of --json, or a release or commit that bench/results/ has')
    .argument('<b>', 'the other one, the later')
    .option('--changed', 'leave out what is equal or within noise')
    .option('--json <file>', 'also write the comparison as one JSON document')
    .action(async (a: string, b: string, { changed, json }: { changed?: true; json?: string }) => {
      const comparison = compareReports(await namedReports(a), await namedReports(b))
      if (json !== undefined) await writeDocument(json, `${JSON.stringify(comparison)}\n`)
      process.stdout.write(formatComparison(comparison, changed === true))
    })

/**
 * Reads a document by its file, or by the release or the commit that it was measured at.
 *
 * @throws {RelayFault} `bad_config` when there is none, or it is no document of the bench.
 */
export async function namedReports(name: string, results = RESULTS): Promise<ReportSet> {
  const kept = (await readdir(results).catch(() => [])).filter(file => file.endsWith('.json'))
  const texts = await Promise.all([name, ...(kept.includes(`${name}.json`) ? [join(results, `${name}.json`)] : [])].map(readText))
  const text = texts.find(each => each !== undefined) ?? (COMMIT.test(name) ? await textOfCommit(name, results, kept) : undefined)
  if (text === undefined) throw new RelayFault('bad_config', `there is no document ${JSON.stringify(name)}, and bench/results/ has ${kept.length === 0 ? 'none' : kept.map(file => file.slice(0, -'.json'.length)).join(', ')}`)
  try {
    return decodeReports(text)
  } catch (cause) {
    if (!(cause instanceof RelayFault)) throw cause
    throw new RelayFault('bad_config', `${JSON.stringify(name)}: ${cause.message}`, { cause })
  }
}

/** @returns Undefined for what cannot be read as a file. */
const readText = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined)

async function textOfCommit(prefix: string, results: string, kept: readonly string[]): Promise<string | undefined> {
  for (const file of kept) {
    const text = await readText(join(results, file))
    if (text !== undefined && new RegExp(`"commit":\\s*"${prefix}`).test(text)) return text
  }
  return undefined
}
