/**
 * `npm start`: a platform of three facilities on this machine, with a node and a demo microscope that streams real 8K to it.
 *
 * `npm start -- --alone` is a node without a platform, whose links anybody may open who has them. Other arguments go to
 * the capture agent: `npm start -- --source pattern` shows the test card instead, `npm start -- --slide FILE` a whole
 * slide under a simulated microscope.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../relay/runtime/clock.ts'
import { createLogger } from '../relay/runtime/log.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import { ConsultationId, MemberId } from '../relay/wire/ids.ts'
import { millis } from '../relay/wire/units.ts'
import { loadNodeConfig } from '../sfu/main.ts'
import { KenkyoNode } from '../sfu/node.ts'
import { DemoPlatform } from './demo/demo-platform.ts'
import { demoRecording } from './demo/record.ts'
import type { Logger } from '../relay/runtime/log.ts'
import type { NodeConfig } from '../sfu/config.ts'
import type { ChildProcess } from 'node:child_process'

const KENKYO = fileURLToPath(new URL('kenkyo.ts', import.meta.url))
const DEMO = ConsultationId.parse('demo')
const VIEWER_LIFETIME_SECONDS = 12 * 3600
const MICROSCOPE_LIFETIME_SECONDS = 30 * 86_400
/** How long the link may wait for the first picture before it is printed anyway. */
const PICTURE_PATIENCE = millis(20_000)
const AGENT_RESTART_DELAY = millis(300)
/** How long the agent may take to end before it is killed. */
const AGENT_STOP_PATIENCE = millis(3000)

const say = (line: string): boolean => process.stdout.write(`${line}\n`)

/** The node, on the configured ports, or on free ones when the usual ones are taken and nobody asked for them. */
async function openNode(config: NodeConfig, log: Logger): Promise<KenkyoNode> {
  try {
    return await KenkyoNode.open(config, log)
  } catch (error) {
    const isChosen = process.env['KENKYO_LISTEN_PORT'] !== undefined || process.env['KENKYO_RTC_BASE_PORT'] !== undefined
    if (!(error instanceof RelayFault) || error.code !== 'address_in_use' || isChosen) throw error
    say(`${error.message}: taking other ports.`)
    const rtcBasePort = 30_000 + Math.floor(Math.random() * 10_000)
    return KenkyoNode.open({ ...config, listenPort: 0, rtcBasePort }, log)
  }
}

/** Runs the capture agent as a process of its own, and again when it dies, until `stop` aborts. */
async function superviseAgent(environment: NodeJS.ProcessEnv, args: readonly string[], stop: AbortSignal): Promise<void> {
  const isStopped = (): boolean => stop.aborted
  while (!isStopped()) {
    const agent = spawn(process.execPath, [KENKYO, 'capture', '--log-level', 'warn', ...args], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...environment },
    })
    const code = await agentEnd(agent, stop)
    if (isStopped()) return
    say(`The capture agent ended (${code}); starting it again.`)
    await systemClock.sleep(AGENT_RESTART_DELAY, stop).catch(() => undefined)
  }
}

async function agentEnd(agent: ChildProcess, stop: AbortSignal): Promise<string> {
  const kill = (): void => {
    agent.kill('SIGTERM')
    setTimeout(() => agent.kill('SIGKILL'), AGENT_STOP_PATIENCE).unref()
  }
  stop.addEventListener('abort', kill, { once: true })
  const ended = await new Promise<string>(resolve => {
    agent.once('error', error => resolve(error.name))
    agent.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  stop.removeEventListener('abort', kill)
  return ended
}

async function waitForPicture(node: KenkyoNode, stop: AbortSignal): Promise<boolean> {
  const deadline = systemClock.now() + PICTURE_PATIENCE
  while (node.health.publications === 0 && systemClock.now() < deadline) await systemClock.sleep(millis(50), stop)
  return node.health.publications > 0
}

/** How the demo microscope enters the node: by its certificate where there is a platform. */
function entryOf(invitation: string, node: KenkyoNode, platform: DemoPlatform | undefined): NodeJS.ProcessEnv {
  if (platform === undefined) return { KENKYO_INVITATION: invitation }
  const { certFile, keyFile, caFile } = platform.microscope
  return {
    KENKYO_INVITATION: invitation, KENKYO_NODE: `https://localhost:${node.membersPort}`,
    KENKYO_CERT_FILE: certFile, KENKYO_KEY_FILE: keyFile, KENKYO_CA_FILE: caFile,
  }
}

function captureArgs(args: readonly string[], recording: string | undefined): readonly string[] {
  if (recording !== undefined) return ['--source', 'recording', '--loop', '--input', recording, ...args]
  return args.some(arg => /^--source(=|$)/.test(arg)) ? args : ['--source', 'slide', ...args]
}

async function main(args: readonly string[], stop: AbortSignal): Promise<void> {
  const settings = { ...loadNodeConfig({}), logLevel: 'warn' as const }
  const log = createLogger({ level: settings.logLevel, program: 'node' })
  const agentArgs = args.filter(arg => arg !== '--alone')
  const isRecorded = !agentArgs.some(arg => /^--(source|slide)(=|$)/.test(arg))
  const recording = isRecorded ? await demoRecording({ onProgress: say, signal: stop }) : undefined
  await using platform = args.includes('--alone') ? undefined : await DemoPlatform.open(DEMO)
  await using node = await openNode({ ...settings, ...platform?.nodeSettings }, log)
  const invite = (role: 'viewer' | 'microscope', lifetimeSeconds: number): Promise<string> =>
    node.invite({ consultationId: DEMO, memberId: MemberId.parse(`demo-${role}`), role, lifetimeSeconds })
  const agent = superviseAgent(entryOf(await invite('microscope', MICROSCOPE_LIFETIME_SECONDS), node, platform), captureArgs(agentArgs, recording), stop)
  const invitation = await invite('viewer', VIEWER_LIFETIME_SECONDS)
  const link = (await platform?.signedIn(invitation, VIEWER_LIFETIME_SECONDS)) ?? invitation
  const isLive = await waitForPicture(node, stop)
  if (platform !== undefined) say(platform.description)
  say(`\n${isLive ? 'The microscope is live.' : 'The microscope is not live yet; the viewer will show it when it is.'} Open the viewer:\n`)
  say(`  ${link}\n`)
  say('The same origin serves /healthz and /metrics. Without TLS it listens on loopback only. Ctrl-C ends everything.')
  await agent
}

const controller = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => controller.abort(new RelayFault('unavailable', `stopped by ${signal}`)))
}
try {
  await main(process.argv.slice(2), controller.signal)
} catch (error) {
  if (!(error instanceof RelayFault)) throw error
  if (!controller.signal.aborted) {
    process.stderr.write(`kenkyo: ${error.code}: ${error.message}\n`)
    process.exitCode = 1
  }
}
