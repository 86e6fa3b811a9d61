import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { LocalNode } from '../local-node.ts'
import { ChildProgram } from '../processes.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { millis } from '../../relay/wire/units.ts'
import type { EmulatedNetwork } from '../lines/emulated-network.ts'
import type { SlideTransfer } from './slide-transfer.ts'

const KENKYO = fileURLToPath(new URL('../../scripts/kenkyo.ts', import.meta.url))
const LOOK_INTERVAL = millis(100)
/** The file is complete: the scanner need not wait to see. */
const STILL_SECONDS = 0.1

/** What `kenkyo scan` is started with. */
export interface ScanOptions {
  readonly node: LocalNode
  readonly leaf: string
  readonly files: readonly string[]
  readonly carrier: 'link' | 'https'
  /** Of the scanner. */
  readonly stateDir: string
  readonly settings?: readonly string[]
}

/** Starts `kenkyo scan` at a leaf. */
export async function startScan({ node, leaf, files, carrier, stateDir, settings = [] }: ScanOptions): Promise<ChildProgram> {
  const { enter, environment } = node.place(leaf)
  const { NODE_EXTRA_CA_CERTS: caFile } = environment
  return ChildProgram.start({
    name: 'scanner', command: process.execPath, enter,
    args: [
      KENKYO, 'scan', ...files, '--carrier', carrier, '--state-dir', stateDir, '--still-seconds', String(STILL_SECONDS), '--json', ...settings,
      ...(caFile === undefined ? [] : ['--ca-file', caFile]),
    ],
    environment: { ...environment, KENKYO_INVITATION: await node.invite('scanner', 'scanner') },
  })
}

/** Bytes of chunks that are durable at a node. */
export async function durableBytes(node: LocalNode): Promise<number> {
  return (await node.metrics()).find(({ name }) => name === 'kenkyo_slide_bytes')?.value ?? 0
}

/** A slide that `kenkyo scan` brings to a node of its own: one that has nothing of it. */
export class KenkyoTransfer implements SlideTransfer {
  readonly program: ChildProgram
  readonly #node: LocalNode
  readonly #scope: AsyncDisposableStack
  readonly #stop = new AbortController()
  #there = 0
  #lastAt = 0
  #fellBack = false

  private constructor(program: ChildProgram, node: LocalNode, scope: AsyncDisposableStack) {
    this.program = program
    this.#node = node
    this.#scope = scope
    void this.#watch()
  }

  /** Starts node and scanner. @param onReady - Called between the two. */
  static async open({ network, leaf, file, carrier, directory, signal }: { readonly network: EmulatedNetwork; readonly leaf: string; readonly file: string; readonly carrier: 'link' | 'https'; readonly directory: string; readonly signal: AbortSignal }, onReady: () => Promise<void>): Promise<KenkyoTransfer> {
    await using scope = new AsyncDisposableStack()
    const node = scope.use(await LocalNode.open({ workers: 1, statsIntervalSeconds: 10, network, signal }))
    await onReady()
    const program = scope.use(await startScan({ node, leaf, files: [file], carrier, stateDir: join(directory, 'scanner') }))
    return new KenkyoTransfer(program, node, scope.move())
  }

  async bytesThere(): Promise<number> {
    await this.#look()
    return this.#there
  }

  lastAt(): number {
    return this.#lastAt
  }

  /** Whether chunks went by HTTPS though a link was asked for. */
  get fellBack(): boolean {
    return this.#fellBack
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    return this.#scope.disposeAsync()
  }

  async #watch(): Promise<void> {
    void this.program.line(line => (line.includes('sending by HTTPS') ? (this.#fellBack = true) : undefined), millis(3_600_000), this.#stop.signal).catch(() => undefined)
    while (!this.#stop.signal.aborted) {
      await this.#look().catch(() => undefined)
      await systemClock.sleep(LOOK_INTERVAL, this.#stop.signal).catch(() => undefined)
    }
  }

  async #look(): Promise<void> {
    const at = performance.now()
    const there = await durableBytes(this.#node)
    if (there > this.#there) {
      this.#there = there
      this.#lastAt = at
    }
  }
}
