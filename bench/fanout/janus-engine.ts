import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { findFreePorts } from '../free-ports.ts'
import { ChildProgram } from '../processes.ts'
import type { EngineOffer, EngineOptions, FanoutEngine } from './fanout-engine.ts'

/** Of Debian's package `janus`. */
const PROGRAM = '/usr/bin/janus'
const START_DEADLINE = millis(15_000)
/** Answers to a long poll that say nothing of the offer. */
const MAX_OTHER_EVENTS = 10
const MOUNTPOINT = 1
/** What sockets get that ask for nothing, such as Janus's. @see socket(7) */
const DEFAULT_BUFFER = '/proc/sys/net/core/rmem_default'
/** As the others ask for. @see bare-mediasoup.ts */
const SOCKET_BUFFER_BYTES = 4 * 2 ** 20

const Reply = z.looseObject({ janus: z.string(), data: z.looseObject({ id: z.number() }).optional(), jsep: z.looseObject({ sdp: z.string() }).optional() })
type Reply = z.infer<typeof Reply>

/** Janus with its streaming plugin: one mountpoint that has every track as a stream of its own. */
export class JanusEngine implements FanoutEngine {
  readonly ports: readonly number[]
  readonly #program: ChildProgram
  readonly #origin: string
  readonly #signal: AbortSignal
  #transactions = 0

  private constructor(program: ChildProgram, ports: readonly number[], origin: string, signal: AbortSignal) {
    this.#program = program
    this.ports = ports
    this.#origin = origin
    this.#signal = signal
  }

  /** Whether this machine has it. */
  static isInstalled(): boolean {
    return existsSync(PROGRAM)
  }

  /** @throws {RelayFault} `unavailable` or `timeout`, quoting its last words. */
  static async open({ schedule, enter, directory, signal }: EngineOptions): Promise<JanusEngine> {
    const first = await findFreePorts(schedule.tracks.length + 1)
    const ports = schedule.tracks.map((_, index) => first + 1 + index)
    const folder = join(directory, 'janus')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'janus.jcfg'), generalConfiguration(folder))
    await writeFile(join(folder, 'janus.transport.http.jcfg'), `general: { json = "compact", base_path = "/janus", http = true, port = ${first}, ip = "127.0.0.1", https = false }\nadmin: { admin_http = false }\n`)
    await writeFile(join(folder, 'janus.plugin.streaming.jcfg'), mountpoint(ports))
    await using scope = new AsyncDisposableStack()
    await using _room = await makeRoom()
    const program = scope.use(await ChildProgram.start({ name: 'janus', command: PROGRAM, args: ['-F', folder, '-C', join(folder, 'janus.jcfg'), '-o'], enter }))
    await program.line(line => (line.includes('HTTP webserver started') ? true : undefined), START_DEADLINE, signal)
    const engine = new JanusEngine(program, ports, `http://127.0.0.1:${first}/janus`, signal)
    scope.move()
    return engine
  }

  get pid(): number {
    return this.#program.pid
  }

  async offer(): Promise<EngineOffer> {
    const session = `/${(await this.#post('', { janus: 'create' })).data?.id ?? 0}`
    const handle = `${session}/${(await this.#post(session, { janus: 'attach', plugin: 'janus.plugin.streaming' })).data?.id ?? 0}`
    await this.#post(handle, { janus: 'message', body: { request: 'watch', id: MOUNTPOINT } })
    const sdp = await this.#offered(session)
    return { sdp, accept: answer => this.#post(handle, { janus: 'message', body: { request: 'start' }, jsep: { type: 'answer', sdp: answer } }).then(() => undefined) }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program.stop()
  }

  async #offered(session: string): Promise<string> {
    for (let event = 0; event < MAX_OTHER_EVENTS; event++) {
      const { jsep } = await this.#fetch(`${session}?maxev=1`, {})
      if (jsep !== undefined) return jsep.sdp
    }
    throw new RelayFault('unavailable', 'janus made no offer')
  }

  async #post(path: string, body: object): Promise<Reply> {
    const reply = await this.#fetch(path, { method: 'POST', body: JSON.stringify({ ...body, transaction: String(++this.#transactions) }) })
    if (reply.janus === 'error') throw new RelayFault('unavailable', `janus refused: ${JSON.stringify(reply)}`)
    return reply
  }

  async #fetch(path: string, options: RequestInit): Promise<Reply> {
    const response = await fetch(`${this.#origin}${path}`, { ...options, signal: this.#signal })
    return Reply.parse(await response.json())
  }
}

/**
 * Gives sockets that are opened meanwhile the room that every other engine asks for by itself: with the kernel's default
 * a keyframe of the whole image does not fit. Without root it stays at that.
 */
async function makeRoom(): Promise<AsyncDisposable> {
  const before = await readFile(DEFAULT_BUFFER, 'utf8')
  const write = (bytes: string): Promise<void> => writeFile(DEFAULT_BUFFER, bytes).catch(() => undefined)
  await write(String(SOCKET_BUFFER_BYTES))
  return { [Symbol.asyncDispose]: () => write(before) }
}

/** Nothing but streaming over HTTP on loopback; ICE lite, as mediasoup is. */
function generalConfiguration(folder: string): string {
  const plugins = ['audiobridge', 'duktape', 'echotest', 'lua', 'nosip', 'recordplay', 'sip', 'textroom', 'videocall', 'videoroom', 'voicemail']
  const transports = ['mqtt', 'nanomsg', 'pfunix', 'rabbitmq', 'websockets']
  const list = (names: readonly string[]): string => names.map(name => `libjanus_${name}.so`).join()
  return `general: { configs_folder = "${folder}", debug_level = 4, debug_colors = false, session_timeout = 0, admin_secret = "unused" }
media: { ipv6 = false }
nat: { ice_enforce_list = "127.0.0.1", ice_lite = true, ice_tcp = false, full_trickle = false }
plugins: { disable = "${list(plugins)}" }
transports: { disable = "${list(transports)}" }
`
}

function mountpoint(ports: readonly number[]): string {
  const media = ports.map((port, index) => `    { type = "video", mid = "v${index}", label = "v${index}", port = ${port}, pt = 102, codec = "h264", fmtp = "profile-level-id=42e01f;packetization-mode=1" }`)
  return `general: { }
fanout: {
  type = "rtp"
  id = ${MOUNTPOINT}
  media = (
${media.join(',\n')}
  )
}
`
}
