import { randomInt } from 'node:crypto'
import { Command } from 'commander'
import { systemClock } from '../../relay/runtime/clock.ts'
import { parseConfig } from '../../relay/runtime/config.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { PURPOSES } from '../../relay/wire/access.ts'
import { tilePosition } from '../../relay/wire/pyramid.ts'
import { millis, rtpTimestamp } from '../../relay/wire/units.ts'
import { Agent } from './agent.ts'
import { FrameLog } from './frame-log.ts'
import { FramePump } from './frame-pump.ts'
import { levelsOfPyramid } from '../../relay/wire/admission.ts'
import { findAccess, NodeAccess } from '../../relay/runtime/node-access.ts'
import { recordSource } from './record.ts'
import { SentLog } from './sent-log.ts'
import { AgentSettings, isSimulated, RecordSettings, refuseContradictions } from './settings.ts'
import { planSource } from './source-plan.ts'
import { CodedRing } from './stills/coded-ring.ts'
import { StillKeeper } from './stills/still-keeper.ts'
import type { RtpTimestamp } from '../../relay/wire/units.ts'
import type { PacedPacket } from './pacer.ts'
import type { z } from 'zod'

/** The node lets this agent in nowhere. */
const EXIT_REFUSED = 3

/** A line of progress no more often than this. */
const PROGRESS_INTERVAL = millis(2000)

const EXAMPLES = `
Examples:
  The 8K test card:
    KENKYO_INVITATION='http://127.0.0.1:7680/#invitation=…' kenkyo capture --source pattern
  A recording, in a loop, without encoding anything:
    kenkyo capture --invitation-file invitation.txt --source recording --input slides-8k --loop
  A video file:
    kenkyo capture --invitation-file invitation.txt --source file --input scan.ts --loop
  A simulated microscope that viewers can steer:
    kenkyo capture --invitation-file invitation.txt --source stage
  A whole slide under a simulated microscope; or, by its id, one of the node's store:
    kenkyo capture --invitation-file invitation.txt --source slide --slide biopsy.svs
  A 4K camera, encoded by an NVIDIA card:
    kenkyo capture --invitation-file invitation.txt --source device --input /dev/video0 \\
      --input-options '-f v4l2 -input_format nv12 -video_size 3840x2160 -framerate 30' \\
      --width 3840 --height 2160 --encoder h264_nvenc --preset p3

Every option may also be set in a JSON file (--config, camelCase) or in the environment
(--tile-bitrate is KENKYO_TILE_BITRATE); flags win over the environment, and that over the file.
An invitation on the command line can be seen by everyone on this machine: prefer a file or the
environment. Consumer GPUs limit how many encodings run at once (NVIDIA: 8 to 12 sessions, by
driver): use fewer, larger tiles there (--columns 3 --rows 2).`

function withSourceOptions(command: Command): Command {
  return command
    .option('--config <file>', 'JSON file with any of these settings, in camelCase')
    .option('--source <kind>', 'pattern (test card), file, device, recording, stage (a simulated microscope that can be steered) or slide (the same with a whole slide) (default pattern)')
    .option('--input <input>', 'path of the file or recording; what ffmpeg takes after -i, for a device')
    .option('--input-options <words>', 'ffmpeg options before -i, for a file or device')
    .option('--width <pixels>', 'width of the test card, simulated or device image (default 7680)')
    .option('--height <pixels>', 'height of the same (default 4320)')
    .option('--frames-per-second <n>', 'frame rate of the same, the highest one for a stage (default 30, for a stage 15)')
    .option('--columns <n>', 'columns of tiles, 1 to 8 (default: tiles near 1280 wide)')
    .option('--rows <n>', 'rows of tiles, 1 to 8 (default: tiles near 720 high)')
    .option('--overview-width <pixels>', 'width of the overview (default 1920)')
    .option('--middle <level>', 'also publish tiles at half resolution, for narrow lines: auto, half or none (default auto: from 4 columns or rows)')
    .option('--tile-bitrate <bit/s>', 'of each tile (default: by its pixels, 2.3 Mbit/s for 1280x720)')
    .option('--overview-bitrate <bit/s>', 'of the overview (default: by its pixels, 7 Mbit/s for 1920x1080)')
    .option('--whole <codec>', 'also publish the whole image in one stream: none or vp9 (default none)')
    .option('--whole-bitrate <bit/s>', 'of that stream (default: by its pixels, 40 Mbit/s for 7680x4320)')
    .option('--encoder <name>', "ffmpeg's H.264 encoder: libx264, h264_nvenc, h264_vaapi, h264_qsv, … (default libx264)")
    .option('--encoder-options <words>', 'more output options for it')
    .option('--preset <name>', "the encoder's preset (default superfast, for libx264)")
    .option('--threads <n>', 'threads per encoder (default 1)')
    .option('--specimen <kind>', 'what lies on the stage: tissue or calibration (default tissue)')
    .option('--slide <slide>', "whole slide on the stage: a file, or the id of one in the node's store")
    .option('--stage-file <file>', 'JSON file that describes the motorised stage beside the camera, for a device')
    .option('--spare-encoders <n>', 'encoders of each kind that a stage keeps started for tiles that come into view (default 4)')
    .option('--still-ring <seconds>', 'raw frames to keep, so that stills are exact and not decoded: 50 MB each at 8K (default 0)')
    .option('--still-ring-bytes <n>', 'the most memory they may take (default 2,000,000,000)')
    .option('--loop', 'begin a file or recording again at its end, for ever')
    .option('--ffmpeg <path>', "ffmpeg to run (default: ffmpeg-static's, else the system's)")
    .option('--ffprobe <path>', 'ffprobe to run (default: beside ffmpeg, else the system\'s)')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent (default info)')
}

/** Flags, environment and file, parsed together. @throws {RelayFault} `bad_config` naming every mistake. */
function loadSettings<Shape extends z.ZodRawShape>(schema: z.ZodObject<Shape>, flags: Readonly<Record<string, unknown>>) {
  const { config: file, ...rest } = flags
  return parseConfig(schema, { file: file as string | undefined, environment: process.env, flags: rest })
}

/** Aborts when the person at the terminal, or the service manager, wants an end. */
function stopSignal(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort())
  return controller.signal
}

async function runAgent(settings: AgentSettings): Promise<void> {
  refuseContradictions(settings)
  const log = createLogger({ level: settings.logLevel, program: 'capture' })
  const signal = stopSignal()
  const node = await findAccess(settings)
  const access = new NodeAccess(node)
  const plan = await planSource(settings, { clock: systemClock, log, node })
  await using scope = new AsyncDisposableStack()
  scope.defer(async () => plan.close?.())
  const { pyramid } = plan
  access.shallSend(levelsOfPyramid(pyramid))
  log.info(
    { source: plan.kind, width: pyramid.width, height: pyramid.height, framesPerSecond: pyramid.framesPerSecond, columns: pyramid.columns, rows: pyramid.rows },
    'source is planned',
  )
  // @see RFC 3550 section 5.1: the initial timestamp should be random
  await using frameLog = settings.frameLog === undefined ? undefined : FrameLog.open(settings.frameLog)
  const onFrame = frameLog === undefined ? undefined : (timestamp: RtpTimestamp, mediaTicks: number): void => frameLog.note(timestamp, mediaTicks)
  await using sentLog = settings.sentLog === undefined ? undefined : SentLog.open(settings.sentLog)
  const onSent = sentLog === undefined ? undefined : (packet: PacedPacket): void => sentLog.note(packet)
  const coded = new CodedRing(pyramid.renditions.map(({ id }) => id).filter(id => tilePosition(id) !== undefined))
  const pump = new FramePump({ pyramid, clock: systemClock, origin: rtpTimestamp(randomInt(0, 2 ** 32)), followsDemand: isSimulated(settings.source), onFrame, onStamped: frame => coded.push(frame), onSent })
  const stills = new StillKeeper({ pyramid, pump, coded, access, ffmpegPath: plan.ffmpegPath, rate: settings.stillBitrate, clock: systemClock, log })
  await using agent = Agent.open({ plan, access, pump, stills, uplinkBitrate: settings.uplinkBitrate, carrier: settings.carrier, linkPaths: settings.linkPaths, clock: systemClock, log })
  signal.addEventListener('abort', () => void agent.close(), { once: true })
  if (signal.aborted) await agent.close()
  const end = await agent.closed
  if (end.code === 'refused') {
    process.stderr.write(`kenkyo: ${end.fault.code}: ${end.fault.message}\n`)
    process.exitCode = EXIT_REFUSED
    return
  }
  log.info({ end: end.code }, 'capture has ended')
}

async function runRecorder(settings: RecordSettings): Promise<void> {
  refuseContradictions(settings)
  const log = createLogger({ level: settings.logLevel, program: 'capture' })
  const plan = await planSource(settings, { clock: systemClock, log })
  const startedAt = systemClock.now()
  let nextLineAt: number = startedAt + PROGRESS_INTERVAL
  const onProgress = (frames: number, of: number): void => {
    if (systemClock.now() < nextLineAt) return
    nextLineAt = systemClock.now() + PROGRESS_INTERVAL
    process.stderr.write(`recording: ${frames} of ${of} frames\n`)
  }
  const manifest = await recordSource({ plan, output: settings.output, seconds: settings.seconds, onProgress }, stopSignal())
  const bits = 8 * manifest.renditions.reduce((sum, rendition) => sum + rendition.byteLength, 0)
  const seconds = manifest.frameCount / manifest.pyramid.framesPerSecond
  const took = (systemClock.now() - startedAt) / 1000
  process.stderr.write(
    `recorded ${manifest.frameCount} frames of ${manifest.renditions.length} renditions, ` +
      `${(bits / seconds / 1e6).toFixed(1)} Mbit/s in sum, in ${took.toFixed(1)} s\n`,
  )
}

/** `kenkyo capture`: runs a capture agent; `kenkyo capture record` makes a recording instead. */
export function captureCommand(): Command {
  const record = withSourceOptions(new Command('record'))
    .description('Encode a stretch of a source into a directory that --source recording replays.')
    .requiredOption('--output <directory>', 'the recording; replaced if there is one')
    .option('--seconds <n>', 'its length (default 3)')
    .action((_flags: unknown, command: Command) => runRecorder(loadSettings(RecordSettings, command.optsWithGlobals())))
  return withSourceOptions(new Command('capture'))
    .description('Run a capture agent: take a microscope image, encode its pyramid of tiles, publish it to a node.')
    .option('--invitation-file <file>', 'file with the invitation link, or the token in it')
    .option('--invitation <link>', 'the same, directly')
    .option('--frame-log <file>', 'write down when each image was handed to the sender, for measuring')
    .option('--sent-log <file>', 'write down when each frame of each rendition had left, for measuring')
    .option('--uplink-bitrate <bit/s>', 'what the line to the node is known to carry (default: it is found out)')
    .option('--still-bitrate <bit/s>', 'what a still takes at most on its way to a node elsewhere (default 20,000,000)')
    .option('--carrier <kind>', "by what it reaches the node: link (kenkyo's own, for lines that lose packets) or webrtc (default link)")
    .option('--link-paths <paths>', 'interfaces for the paths of a link, the preferred first: name=address@host,… (default: one path, where the system routes it)')
    .option('--node <url>', 'origin of the node, with a token alone or to override the link')
    .option('--cert-file <file>', "this machine's certificate of the platform, PEM: a grant is asked for with it")
    .option('--key-file <file>', 'its private key, PEM')
    .option('--ca-file <file>', 'certificates to trust instead of the usual ones, PEM')
    .option('--purpose <purpose>', `what the grant is for: ${PURPOSES.join(', ')} (default consultation)`)
    .option('--emergency', 'ask although a consent is missing: always recorded, for an hour at most')
    .addCommand(record)
    .addHelpText('after', EXAMPLES)
    .action((flags: Record<string, unknown>) => runAgent(loadSettings(AgentSettings, flags)))
}
