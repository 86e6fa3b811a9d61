import { z } from 'zod'
import { flag, numeric } from '../../relay/runtime/config.ts'
import { LANGUAGES, terminalLanguage } from '../../relay/runtime/terminal-language.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { LINES } from '../all/needs.ts'
import { requireConsent } from '../accept/consent.ts'
import { DIRECTIONS } from '../accept/acceptance-measurement.ts'
import { planAcceptance } from '../accept/acceptance-plan.ts'
import { USES } from '../accept/acceptance-verdict.ts'
import { acceptanceSpeaker } from '../accept/acceptance-words.ts'
import { answerUntilStopped } from '../accept/answer-command.ts'
import { concludeAcceptance } from '../accept/acceptance-conclusion.ts'
import { measureEmulated } from '../accept/emulated-acceptance.ts'
import { readLinkEnds, parsePeer } from '../accept/line-ends.ts'
import { measurePlanted } from '../accept/planted-report.ts'
import { readAcceptanceKey } from '../accept/acceptance-key.ts'
import { runMeasuring } from '../accept/acceptance-ends.ts'
import { SLIDE_BYTES } from '../accept/planted-run.ts'
import { parseLineProfile } from '../lines/profiles.ts'
import type { LineEnd } from '../accept/line-ends.ts'
import type { Outcome } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

/** TCP for control and UDP for loads, at the answering end. */
const DEFAULT_PORT = 7690
const list = <Item extends string>(items: readonly Item[]) => z.string().transform(text => text.split(',')).pipe(z.array(z.enum(items)).min(1))

const Options = z.strictObject({
  link: z.string().min(1).optional(),
  linksFile: z.string().min(1).optional(),
  peer: z.string().min(1).optional(),
  secondPath: z.string().min(1).optional(),
  localAddress: z.union([z.ipv4(), z.ipv6()]).optional(),
  emulate: z.array(z.string().min(1)).min(1).max(2).optional(),
  planted: flag().default(false),
  lines: z.string().transform(text => text.split(',')).optional(),
  answer: flag().default(false),
  keyFile: z.string().min(1).optional(),
  port: numeric(z.int().min(1).max(65_535)).default(DEFAULT_PORT),
  address: z.union([z.ipv4(), z.ipv6()]).default('0.0.0.0'),
  hours: numeric(z.number().min(0).max(72)).default(0),
  stepSeconds: numeric(z.number().min(0.5).max(60)).optional(),
  use: list(USES).default([...USES]),
  publishes: list(DIRECTIONS).default([...DIRECTIONS]),
  slideGigabytes: numeric(z.number().min(0.001).max(1000)).default(SLIDE_BYTES / 1e9),
  report: z.string().min(1).optional(),
  language: z.enum(LANGUAGES).optional(),
  yes: flag().default(false),
})
type Options = z.infer<typeof Options>

/** Of the planted lines, one that is fit for everything, and one that is for some of it. */
const QUICK_LINES = ['building', 'narrow-16']

/** What can be done, of which one has to be asked for. */
const MODES = ['link', 'peer', 'emulate', 'planted', 'answer'] as const

function parseOptions(flags: Readonly<Record<string, unknown>>): Options {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const asked = MODES.filter(mode => result.data[mode] !== undefined && result.data[mode] !== false)
  if (asked.length !== 1) throw new RelayFault('bad_config', 'give one of --peer HOST, --link NAME, --emulate LINE, --planted and --answer (--help explains them)')
  return result.data
}

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Outcome | undefined> {
  const options = parseOptions(flags)
  const { isQuick, signal, say } = context
  const { hours, stepSeconds } = options
  const plan = planAcceptance({ isQuick, hours, stepSeconds })
  if (options.planted) return await measurePlanted(plan, options.lines ?? (isQuick ? QUICK_LINES : []), say, signal)
  if (options.answer) {
    await answerUntilStopped({ key: await readAcceptanceKey(options.keyFile), address: options.address, port: options.port }, say, signal)
    return undefined
  }
  const language = options.language ?? terminalLanguage(process.env)
  const speak = acceptanceSpeaker(language)
  const conclude = { language, question: { uses: options.use, directions: options.publishes, slideBytes: options.slideGigabytes * 1e9 }, reportFile: options.report }
  if (options.emulate !== undefined) {
    const profiles = options.emulate.map(parseLineProfile)
    return await concludeAcceptance(await measureEmulated({ line: profiles.map(({ name }) => name).join(' + '), profiles, plan, say }, signal), conclude)
  }
  const { line, paths } = await findEnds(options)
  const keyHex = (await readAcceptanceKey(options.keyFile)).toString('hex')
  await requireConsent({ plan, host: paths.map(({ host }) => host).join(', '), paths: paths.length, isGiven: options.yes, speak }, signal)
  return await concludeAcceptance(await runMeasuring({ keyHex, line, isSimulated: false, plan, paths: [...paths], enter: [], say }, signal), conclude)
}

/** The far ends of the paths to measure, from the command line or from a node's file of links. */
async function findEnds({ link, linksFile, peer, secondPath, localAddress, port }: Options): Promise<{ readonly line: string; readonly paths: readonly LineEnd[] }> {
  if (link !== undefined) {
    if (linksFile === undefined) throw new RelayFault('bad_config', '--link takes --links-file FILE, as a node has it')
    return { line: link, paths: await readLinkEnds(linksFile, link, port) }
  }
  if (peer === undefined) throw new Error('a mode was asked for')
  const first = { ...parsePeer('first', peer, port), ...(localAddress === undefined ? {} : { localAddress }) }
  return { line: first.host, paths: secondPath === undefined ? [first] : [first, parsePeer('second', secondPath, port)] }
}

/** Whether a line is fit for 8K, and what to change. */
export const accept: Scenario = {
  name: 'accept',
  needs: LINES,
  argumentsAmongAll: ['--planted'],
  summary: 'Say whether a line is fit for live 8K and slides, and what to change: loads of a recorded shape between two ends, a verdict per use, a report to print.',
  configure: command =>
    command
      .option('--peer <host>', 'far end, where accept --answer runs: host or host:port')
      .option('--link <name>', 'the same for a link of a file that a node has: its first two paths, by their remoteHost')
      .option('--links-file <file>', 'that file')
      .option('--second-path <end>', 'a second path to the same far end: localAddress@host')
      .option('--local-address <ip>', 'address to send from on the first path')
      .option('--emulate <lines...>', 'an emulated line instead, for learning, or two: names, JSON or .json files; takes root')
      .option('--planted', 'measure planted lines, and compare with the verdicts that arithmetic demands; takes root')
      .option('--lines <names>', 'of the planted lines only these, separated by commas (default all; with --quick building,narrow-16)')
      .option('--answer', 'be the far end, until stopped')
      .option('--key-file <file>', 'file with 16 to 64 bytes in hexadecimal that both ends have')
      .option('--port <port>', `of the answering end, TCP and UDP (default ${DEFAULT_PORT})`)
      .option('--address <ip>', 'where the answering end listens (default 0.0.0.0)')
      .option('--hours <n>', 'afterwards hold the largest load that passed for so long (default 0, at most 72)')
      .option('--step-seconds <n>', 'length of each load (default 15, with --quick 1)')
      .option('--use <uses>', `what decides: ${USES.join(',')} (default all)`)
      .option('--publishes <directions>', 'where pictures and slides flow: out, in or out,in (default both)')
      .option('--slide-gigabytes <n>', 'size of a slide (default 1.5)')
      .option('--report <file>', 'write the report as an HTML page that prints on A4')
      .option('--language <language>', 'en or ja (default: by LC_ALL, LC_MESSAGES or LANG)')
      .option('--yes', 'do not ask before loading the line')
      .addHelpText('after', '\nExit codes: 0 go, 1 go with limits, 3 no-go, 2 wrong usage, 4 no verdict, 130 stopped.'),
  run,
  failedExitCode: 4,
}
