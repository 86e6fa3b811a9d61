import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { z } from 'zod'
import { runStampReflector, runStampSender } from '../../relay/links/measurement/stamp-main.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { flag, numeric, parseConfig } from '../../relay/runtime/config.ts'
import { findInvitation } from '../../relay/runtime/invitation-link.ts'
import { LANGUAGES, terminalLanguage } from '../../relay/runtime/terminal-language.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { PathName } from '../../relay/wire/link.ts'
import { millis } from '../../relay/wire/units.ts'
import { inColumns, inMegabits, inMillis, inPercent } from './line-figures.ts'
import { describeLine, judgeLine, LINE_LEVELS, worstLevel } from './line-verdict.ts'
import { lineSpeaker } from './line-words.ts'
import { parseLinkPaths } from './link-paths.ts'
import { LinkProbe, megabits, PATIENCE } from './link-probe.ts'
import { describeLinks, fetchLinks } from './link-status.ts'
import type { StampSummary } from '../../relay/links/measurement/stamp-summary.ts'
import type { LineMeasurement } from './line-measurement.ts'

const DEFAULT_NODE = 'http://127.0.0.1:7680'
const WATCH_INTERVAL = millis(1000)
/** Nothing was measured; 0 to 2 are verdicts. */
const EXIT_FAILED = 3
/** As a shell reports a program that SIGINT ended. */
const EXIT_INTERRUPTED = 130
const CLEAR_SCREEN = '\u001b[2J\u001b[H'

const StatusSettings = z.strictObject({
  node: z.url({ protocol: /^https?$/ }).default(DEFAULT_NODE),
  json: flag().default(false),
  watch: flag().default(false),
})

const ProbeSettings = z.strictObject({
  invitation: z.string().min(1).max(8192).optional(),
  invitationFile: z.string().min(1).optional(),
  node: z.url({ protocol: /^https?$/ }).optional(),
  linkPaths: z.string().transform(parseLinkPaths).optional(),
  seconds: numeric(z.number().min(3).max(600)).default(10),
  /** Megabits per second. */
  load: numeric(z.number().min(0.1).max(2000)).default(20),
  lang: z.enum(LANGUAGES).optional(),
  json: flag().default(false),
})

const StampSettings = z.strictObject({
  port: numeric(z.int()).optional(),
  count: numeric(z.int()).optional(),
  /** Milliseconds. */
  interval: numeric(z.number()).optional(),
  /** Bytes. */
  size: numeric(z.int()).optional(),
  address: z.string().optional(),
  keyFile: z.string().min(1).optional(),
  stateless: flag().default(false),
  json: flag().default(false),
})

const print = (lines: readonly string[]): void => void process.stdout.write(`${lines.join('\n')}\n`)

/** Runs until the person at the terminal ends it, and says by the exit code how it went. */
export async function attended(run: (signal: AbortSignal) => Promise<number>): Promise<void> {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort())
  try {
    process.exitCode = await run(controller.signal)
  } catch (error) {
    if (controller.signal.aborted) process.exitCode = EXIT_INTERRUPTED
    else if (error instanceof RelayFault) {
      process.stderr.write(`kenkyo: ${error.code}: ${error.message}\n`)
      process.exitCode = EXIT_FAILED
    } else throw error
  }
}

async function runStatus(flags: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<number> {
  const { node, json, watch } = parseConfig(StatusSettings, { environment: process.env, flags })
  for (;;) {
    const { status, text } = await fetchLinks(node, signal)
    const lines = json ? [text] : describeLinks(status)
    print(watch && !json && process.stdout.isTTY ? [CLEAR_SCREEN + (lines[0] ?? ''), ...lines.slice(1)] : lines)
    if (!watch) return 0
    await systemClock.sleep(WATCH_INTERVAL, signal)
  }
}

async function runProbe(flags: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<number> {
  const settings = parseConfig(ProbeSettings, { environment: process.env, flags })
  const { seconds, linkPaths = [{ name: PathName.parse('main') }], json, lang = terminalLanguage(process.env) } = settings
  const say = lineSpeaker(lang)
  const load = megabits(settings.load)
  const address = await findInvitation(settings)
  const startedAt = new Date()
  await using probe = await LinkProbe.open({
    address, load, clock: systemClock, duration: millis(1000 * seconds),
    onStep: ({ kind, path, duration }) => {
      process.stderr.write(`${say(kind === 'idle' ? 'announceIdle' : 'announceLoad', { path, load: inMegabits(load), n: (duration / 1000).toFixed(1) })}\n`)
    },
  }, signal)
  const lines: LineMeasurement[] = []
  for (const path of linkPaths) lines.push(await probe.measure(path, signal))
  const judged = lines.map(line => ({ line, verdict: judgeLine(line, PATIENCE / 1000) }))
  const level = worstLevel(judged.map(({ verdict }) => verdict.level))
  if (json) {
    const paths = judged.map(({ line, verdict }) => ({ ...line, verdict: verdict.level, reasons: verdict.findings.map(({ level: of, reason, put }) => ({ level: of, reason, text: say(reason, put) })) }))
    print([JSON.stringify({ startedAt: startedAt.toISOString(), host: address.host, seconds, loadBitsPerSecond: load, verdict: level, paths }, null, 2)])
  } else print(judged.flatMap(({ line, verdict }) => describeLine(line, verdict, say)))
  return LINE_LEVELS.indexOf(level)
}

async function readKey(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (cause) {
    throw new RelayFault('bad_config', '--key-file: cannot be read', { cause })
  }
}

async function runStamp(host: string, flags: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<number> {
  const { port, count, interval, size, address, keyFile, json } = parseConfig(StampSettings, { environment: {}, flags })
  const summary = await runStampSender({
    host, keyHex: await readKey(keyFile),
    ...(port === undefined ? {} : { port }), ...(count === undefined ? {} : { count }), ...(interval === undefined ? {} : { intervalMillis: interval }),
    ...(size === undefined ? {} : { sizeBytes: size }), ...(address === undefined ? {} : { localAddress: address }),
  }, signal)
  print(json ? [JSON.stringify(summary, null, 2)] : describeStamp(summary))
  return summary.received === 0 ? LINE_LEVELS.indexOf('unfit') : 0
}

/** What a STAMP session measured, as lines for a person. */
export function describeStamp({ sent, received, lossRatio, lossRatios, roundTrip, delayVariation, clockOffset, duplicates, reordered }: StampSummary): string[] {
  return inColumns([
    ['packets', `${sent} sent, ${received} answered, ${inPercent(lossRatio)} lost`],
    ['loss out / in', `${inPercent(lossRatios.out)} / ${inPercent(lossRatios.in)}`],
    ['round trip p50 / p95 / max', `${inMillis(roundTrip?.p50)} / ${inMillis(roundTrip?.p95)} / ${inMillis(roundTrip?.max)}`],
    ['delay variation p95 out / in', `${inMillis(delayVariation.out?.p95)} / ${inMillis(delayVariation.in?.p95)}`],
    ['clock of the reflector', inMillis(clockOffset)],
    ['duplicates out / in', `${duplicates.out} / ${duplicates.in}`],
    ['reordered, round trip', String(reordered.roundTrip ?? '–')],
  ])
}

async function runReflect(flags: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<number> {
  const { port, address, keyFile, stateless } = parseConfig(StampSettings, { environment: {}, flags })
  const settings = { isStateful: !stateless, keyHex: await readKey(keyFile), ...(port === undefined ? {} : { port }), ...(address === undefined ? {} : { address }) }
  const totals = await runStampReflector(settings, signal, at => process.stderr.write(`reflecting on UDP ${at.address}:${at.port}; Ctrl-C ends it\n`))
  print(inColumns([['received', String(totals.received)], ['reflected', String(totals.reflected)], ...Object.entries(totals.refused).filter(([, count]) => count > 0).map(([cause, count]) => [`refused, ${cause}`, String(count)])]))
  return 0
}

/** `kenkyo link`: shows, measures and reflects links from a technician's chair. */
export function linkCommand(): Command {
  const status = new Command('status')
    .description("Show a node's links: their paths, classes and last events.")
    .option('--node <url>', `origin of the node (default ${DEFAULT_NODE})`)
    .option('--watch', 'again every second')
    .option('--json', "the node's document as it is")
    .action((flags: Record<string, unknown>) => attended(signal => runStatus(flags, signal)))
  const probe = new Command('probe')
    .description("Measure the line to a node with a viewer's invitation, without load and under it, and say what it is fit for.")
    .option('--invitation-file <file>', "file with a viewer's invitation link, or the token in it")
    .option('--invitation <link>', 'the same, directly')
    .option('--node <url>', 'origin of the node, with a token alone or to override the link')
    .option('--link-paths <paths>', 'interfaces to measure, one after the other: name=address@host,… (default: where the system routes it)')
    .option('--seconds <n>', 'for each path, a third of it without load (default 10)')
    .option('--load <Mbit/s>', 'what is sent (default 20)')
    .option('--lang <language>', 'en or ja (default: by LC_ALL, LC_MESSAGES or LANG)')
    .option('--json', 'figures and verdict as one document')
    .addHelpText('after', '\nExit codes: 0 good, 1 with limits, 2 not fit, 3 nothing was measured.')
    .action((flags: Record<string, unknown>) => attended(signal => runProbe(flags, signal)))
  const stamp = new Command('stamp')
    .description('Measure the way to a STAMP reflector (RFC 8762) and back: of kenkyo or of any other maker.')
    .argument('<host>', 'the reflector')
    .option('--port <port>', 'its UDP port (default 862)')
    .option('--count <n>', 'packets (default 100)')
    .option('--interval <ms>', 'from one to the next (default 20)')
    .option('--size <bytes>', 'UDP payload of each (default: the shortest there is)')
    .option('--address <ip>', 'address to send from')
    .option('--key-file <file>', 'authenticated mode: file with 16 to 64 bytes in hexadecimal')
    .option('--json', 'the summary as one document')
    .action((host: string, flags: Record<string, unknown>) => attended(signal => runStamp(host, flags, signal)))
  const reflect = new Command('reflect')
    .description('Reflect STAMP packets (RFC 8762) until ended.')
    .option('--port <port>', 'UDP port; below 1024 takes privileges (default 862)')
    .option('--address <ip>', 'address to listen on (default 0.0.0.0)')
    .option('--key-file <file>', 'authenticated mode: file with 16 to 64 bytes in hexadecimal')
    .option('--stateless', 'count nothing per sender')
    .action((flags: Record<string, unknown>) => attended(signal => runReflect(flags, signal)))
  return new Command('link').description('Show and measure links.').addCommand(status).addCommand(probe).addCommand(stamp).addCommand(reflect)
}
