import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { systemClock } from '../../relay/runtime/clock.ts'
import { parseConfig } from '../../relay/runtime/config.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { findAccess, NodeAccess } from '../../relay/runtime/node-access.ts'
import { terminalLanguage } from '../../relay/runtime/terminal-language.ts'
import { readPolicy } from '../../relay/slides/deidentify/policy.ts'
import { openPseudonymKey } from '../../relay/slides/deidentify/pseudonym.ts'
import { openSlide } from '../../relay/slides/formats/open-slide.ts'
import { HttpDoor } from '../../relay/slides/transfer/http-door.ts'
import { HttpsCarrier } from '../../relay/slides/transfer/https-carrier.ts'
import { SlideHttp } from '../../relay/slides/transfer/slide-http.ts'
import { PURPOSES } from '../../relay/wire/access.ts'
import { FINAL_ACCESS_FAULTS, RelayFault } from '../../relay/wire/fault.ts'
import { SlideId } from '../../relay/wire/ids.ts'
import { millis } from '../../relay/wire/units.ts'
import { isWithin } from './daily-hours.ts'
import { candidatesIn, lookAt } from './file-look.ts'
import { FolderWatch } from './folder-watch.ts'
import { LimitedCarrier } from './limited-carrier.ts'
import { LevelThread } from './level-thread.ts'
import { LinkOrHttps } from './link-or-https.ts'
import { NodePipeline } from './node-pipeline.ts'
import { PreparedFiles } from './prepared-files.ts'
import { ExportReport } from './export-report.ts'
import { describeQueue } from './queue-status.ts'
import { ScanQueue } from './scan-queue.ts'
import { ScanReport } from './scan-report.ts'
import { ScanRun } from './scan-run.ts'
import { scanSpeaker } from './scan-words.ts'
import { loadScannerKey } from './scanner-key.ts'
import { openScannerLink } from './scanner-link.ts'
import { ExportSettings, QueueSettings, ScanSettings } from './settings.ts'
import { exportSlide } from './slide-export.ts'
import type { CommanderError } from 'commander'
import type { Logger } from '../../relay/runtime/log.ts'
import type { EntrySettings } from '../../relay/runtime/node-access.ts'
import type { SlideOrigin } from '../../relay/slides/transfer/slide-http.ts'
import type { ChunkCarrier } from '../../relay/slides/transfer/transfer.ts'
import type { ScanTally } from './scan-run.ts'

/** As `docs/SCANNER.md` lists them. */
const EXIT = { done: 0, failed: 1, usage: 2, refused: 3, noSlides: 4, interrupted: 130 } as const

/** The node let nobody in, or not to that slide. */
const NOT_ADMITTED: readonly string[] = [...FINAL_ACCESS_FAULTS, 'grant_refused', 'not_found']

type Flags = Readonly<Record<string, unknown>>

const print = (text: string): void => void process.stdout.write(`${text}\n`)

/** Runs until the person at the terminal, or the service manager, ends it, and says by the exit code how it went. */
async function attended(run: (signal: AbortSignal) => Promise<number>): Promise<void> {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort(new RelayFault('unavailable', 'interrupted')))
  try {
    process.exitCode = await run(controller.signal)
  } catch (error) {
    if (controller.signal.aborted) process.exitCode = EXIT.interrupted
    else if (error instanceof RelayFault) {
      process.stderr.write(`kenkyo: ${error.code}: ${error.message}\n`)
      process.exitCode = error.code === 'bad_config' || error.code === 'identity_refused' ? EXIT.usage : NOT_ADMITTED.includes(error.code) ? EXIT.refused : EXIT.failed
    } else throw error
  }
}

/** Of several reasons the one that is hardest to mend. */
function exitCodeOf({ refused, failed, noSlides }: ScanTally): number {
  return refused > 0 ? EXIT.refused : failed > 0 ? EXIT.failed : noSlides > 0 ? EXIT.noSlides : EXIT.done
}

async function accessOf(settings: Pick<ScanSettings, keyof EntrySettings>): Promise<{ access: NodeAccess; origin: SlideOrigin }> {
  const access = new NodeAccess(await findAccess(settings), process.env)
  return { access, origin: { origin: access.address.origin, token: access, proxyEnvironment: process.env } }
}

function openCarrier({ carrier, limitRate }: ScanSettings, access: NodeAccess, origin: SlideOrigin, onNoLink: () => void, log: Logger): ChunkCarrier {
  const https = new HttpsCarrier(origin, { clock: systemClock })
  const chosen = carrier === 'https' ? https : new LinkOrHttps({
    https, clock: systemClock, openLink: signal => openScannerLink({ access, clock: systemClock }, signal),
    onFallback: fault => {
      log.warn({ err: fault }, 'no link to the node: sending by HTTPS')
      onNoLink()
    },
  })
  return limitRate === undefined ? chosen : new LimitedCarrier(chosen, limitRate, systemClock)
}

async function openPipeline(settings: ScanSettings, onNoLink: () => void, log: Logger, scope: AsyncDisposableStack): Promise<NodePipeline> {
  const { stateDir, policy, keep, pseudonymList } = settings
  const { access, origin } = await accessOf(settings)
  const door = scope.use(new HttpDoor(origin))
  const carrier = scope.use(openCarrier(settings, access, origin, onNoLink, log))
  return new NodePipeline({
    open: openSlide, thread: scope.use(new LevelThread()), files: new PreparedFiles(stateDir), key: await loadScannerKey(stateDir), pseudonymKey: await openPseudonymKey(join(stateDir, 'pseudonym-key')),
    pseudonymList, policy: policy === undefined ? undefined : await readPolicy(policy), keep, door, carrier, clock: systemClock,
  })
}

/** Names that were given must be there. @throws {RelayFault} `bad_config`, by their place in the list. */
async function addFiles(queue: ScanQueue, files: readonly string[]): Promise<void> {
  for (const [index, file] of files.entries()) {
    const path = resolve(file)
    const seen = await lookAt(path)
    if (seen === undefined) throw new RelayFault('bad_config', `file ${index + 1}: cannot be read`)
    queue.add(path, seen, true)
  }
}

async function runScan(files: readonly string[], flags: Flags, signal: AbortSignal): Promise<number> {
  const settings = parseConfig(ScanSettings, { environment: process.env, flags })
  const { atOnce, attempts, between, json, lang = terminalLanguage(process.env), logLevel, patienceSeconds, stateDir, stillSeconds, watch } = settings
  const log = createLogger({ level: logLevel, program: 'scanner' })
  const say = scanSpeaker(lang)
  await using scope = new AsyncDisposableStack()
  const queue = scope.use(ScanQueue.open(stateDir))
  await addFiles(queue, files)
  const report = new ScanReport(process.stdout, json, say, systemClock)
  try {
    scope.use(queue.lock())
  } catch (error) {
    if (!(error instanceof RelayFault) || files.length === 0 || watch !== undefined) throw error
    if (!json) report.line(say('queued'))
    return EXIT.done
  }
  const pipeline = await openPipeline(settings, () => { if (!json) report.line(say('noLink')) }, log, scope)
  const folder = watch === undefined ? undefined : resolve(watch)
  const news = folder === undefined ? undefined : FolderWatch.open(folder)
  if (news !== undefined) scope.use(news)
  const run = new ScanRun({
    queue, pipeline, look: lookAt, candidates: folder === undefined ? undefined : () => candidatesIn(folder), news,
    isOpen: () => between === undefined || isWithin(between, new Date()),
    settling: { still: millis(1000 * stillSeconds), patience: millis(1000 * patienceSeconds) },
    atOnce, maxAttempts: attempts, clock: systemClock, log, onEvent: event => report.take(event),
  })
  await run.run(signal)
  return signal.aborted ? EXIT.interrupted : exitCodeOf(run.tally)
}

function runPause(flags: Flags, isPaused: boolean): number {
  const { stateDir } = parseConfig(QueueSettings, { environment: process.env, flags })
  using queue = ScanQueue.open(stateDir)
  queue.isPaused = isPaused
  return EXIT.done
}

function runStatus(flags: Flags): number {
  const { stateDir, json, lang = terminalLanguage(process.env) } = parseConfig(QueueSettings, { environment: process.env, flags })
  using queue = ScanQueue.open(stateDir)
  print(describeQueue(queue, json, scanSpeaker(lang)))
  return EXIT.done
}

async function runExport(slide: string, flags: Flags, signal: AbortSignal): Promise<number> {
  const settings = parseConfig(ExportSettings, { environment: process.env, flags })
  const { json, lang = terminalLanguage(process.env), force, out = `${slide}.svs` } = settings
  const slideId = SlideId.safeParse(slide)
  if (!slideId.success) throw new RelayFault('bad_config', 'SLIDE: not the id of a slide')
  using http = new SlideHttp((await accessOf(settings)).origin)
  const report = new ExportReport(process.stdout, json, scanSpeaker(lang), systemClock, slideId.data)
  try {
    const exported = await exportSlide({
      http, slideId: slideId.data, path: resolve(out), isReplaced: force, clock: systemClock,
      onProgress: progress => report.progress(progress), onFault: code => report.retrying(code),
    }, signal)
    report.done(exported)
  } finally {
    report.end()
  }
  return EXIT.done
}

/** A mistake on the command line ends with the code of a mistake, help with none. */
function exitOnUsage(command: Command): Command {
  return command.exitOverride((error: CommanderError) => {
    process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage
    process.exit()
  })
}

const withState = (command: Command): Command => command.option('--state-dir <path>', 'where the queue and the keys are kept')

/** `kenkyo scan`: sends slides to a node; `pause`, `resume` and `status` speak to a scan that runs. */
export function scanCommand(): Command {
  const pause = withState(exitOnUsage(new Command('pause'))).description('Hold the queue; what is under way goes on later where it was.').action((_: unknown, command: Command) => attended(() => Promise.resolve(runPause(command.optsWithGlobals(), true))))
  const goOn = withState(exitOnUsage(new Command('resume'))).description('Go on with a paused queue.').action((_: unknown, command: Command) => attended(() => Promise.resolve(runPause(command.optsWithGlobals(), false))))
  const status = withState(exitOnUsage(new Command('status')))
    .description('Show the queue. On this terminal files are named; with --json they are not.')
    .option('--json', 'as JSON lines')
    .option('--lang <language>', 'en or ja (default: by LC_ALL, LC_MESSAGES or LANG)')
    .action((_: unknown, command: Command) => attended(() => Promise.resolve(runStatus(command.optsWithGlobals()))))
  const exportCommand = exitOnUsage(new Command('export'))
    .description('Fetch a stored slide from a node as one file that other programs open; every tile is proven before it is written.')
    .argument('<slide>', 'its id')
    .option('--out <file>', 'where it goes (default: the id and .svs, here)')
    .option('--force', 'replace a file that is there')
    .option('--invitation-file <file>', 'file with the invitation link, or the token in it; a scanner\'s or a viewer\'s')
    .option('--invitation <link>', 'the same, directly')
    .option('--node <url>', 'origin of the node, with a token alone or to override the link')
    .option('--ca-file <file>', 'certificates to trust instead of the usual ones, PEM')
    .option('--cert-file <file>', "this machine's certificate of the platform, PEM: a grant is asked for with it")
    .option('--key-file <file>', 'its private key, PEM')
    .option('--json', 'as JSON lines')
    .option('--lang <language>', 'en or ja (default: by LC_ALL, LC_MESSAGES or LANG)')
    .action((slide: string, _: unknown, command: Command) => attended(signal => runExport(slide, command.optsWithGlobals(), signal)))
  return withState(exitOnUsage(new Command('scan')))
    .description('Send whole slides to a node: names are taken out first, the coarse levels go first, and any interruption is survived.')
    .argument('[files...]', 'slides to send; without any, what is left in the queue')
    .option('--watch <folder>', 'take up slides as they appear in it, until ended')
    .option('--invitation-file <file>', 'file with the invitation link, or the token in it')
    .option('--invitation <link>', 'the same, directly')
    .option('--node <url>', 'origin of the node, with a token alone or to override the link')
    .option('--ca-file <file>', 'certificates to trust instead of the usual ones, PEM')
    .option('--cert-file <file>', "this machine's certificate of the platform, PEM: a grant is asked for with it")
    .option('--key-file <file>', 'its private key, PEM')
    .option('--purpose <purpose>', `what the grant is for: ${PURPOSES.join(', ')} (default consultation)`)
    .option('--emergency', 'ask although a consent is missing: always recorded, for an hour at most')
    .option('--carrier <kind>', "link (kenkyo's own, for lines that lose packets; HTTPS where none comes up) or https (default link)")
    .option('--limit-rate <Mbit/s>', 'send no faster')
    .option('--between <hours>', 'send only then, local time, such as 18:00-07:00')
    .option('--at-once <n>', 'slides side by side (default 1)')
    .option('--still-seconds <s>', 'a file is complete when it did not change for so long and opens (default 5)')
    .option('--patience-seconds <s>', 'what stood still so long and does not open is no slide (default 60)')
    .option('--attempts <n>', 'tries of a slide that fails in passing, without --watch (default 5)')
    .option('--keep <words>', 'what to keep of the description: scan date, scanner model; needs --policy')
    .option('--policy <file>', "the facility's policy of what may be kept, JSON")
    .option('--pseudonym-list <file>', 'note there which pseudonym stands for which case number')
    .option('--json', 'JSON lines instead of sentences')
    .option('--lang <language>', 'en or ja (default: by LC_ALL, LC_MESSAGES or LANG)')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent (default warn)')
    .addCommand(pause).addCommand(goOn).addCommand(status).addCommand(exportCommand)
    .addHelpText('after', '\nExit codes: 0 all arrived, 1 some failed, 2 usage, 3 refused by the node, 4 some files are no slides, 130 interrupted (goes on when started again).')
    .action((files: string[], flags: Flags) => attended(signal => runScan(files, flags, signal)))
}
