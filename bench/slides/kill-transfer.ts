#!/usr/bin/env node
/** `node bench/slides/kill-transfer.ts --count 1000`: kills a node and the scanner that sends to it, again and again, and looks whether the slide is what a fresh preparation gives. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { InvitationIssuer } from '../../relay/access/invitation.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { DeidentifiedSlide } from '../../relay/slides/deidentify/deidentified-slide.ts'
import { openSlide } from '../../relay/slides/formats/open-slide.ts'
import { makePyramid } from '../../relay/slides/formats/pyramid-maker.ts'
import { verifyLevelHead, verifySlideHead } from '../../relay/slides/manifest/heads.ts'
import { LevelIndex } from '../../relay/slides/manifest/level-index.ts'
import { FileSlideStore } from '../../relay/slides/store/file-slide-store.ts'
import { HttpDoor } from '../../relay/slides/transfer/http-door.ts'
import { toFault } from '../../relay/wire/fault.ts'
import { ConsultationId, MemberId, SlideId } from '../../relay/wire/ids.ts'
import { tileAt } from '../../relay/wire/tile-order.ts'
import { loadInvitationKey } from '../../sfu/invitation-key.ts'
import { findFreePorts } from '../free-ports.ts'
import { SMALL_SLIDE, writeSyntheticSlide } from './synthetic-slide.ts'
import type { ChildProcess } from 'node:child_process'

const KENKYO = join(import.meta.dirname, '../../scripts/kenkyo.ts')
const READY_DEADLINE_MILLIS = 60_000
/** A kill comes so long after both run, at most. */
const LONGEST_LIFE_MILLIS = 1500

/** What many kills did. */
export interface TransferKills {
  readonly kills: { readonly node: number; readonly scanner: number }
  /** Slides that arrived and were compared, and their tiles. */
  readonly slides: number
  readonly tiles: number
  /** Chunks that the node said it had before it was killed, and was asked for after. */
  readonly chunksAsked: number
  /** What is missing or not what it was. */
  readonly lost: readonly string[]
}

/** How it is done. */
export interface KillTransferOptions {
  /** For both programs' state. */
  readonly directory: string
  readonly slidePath: string
  readonly count: number
  /** From 0 to 1. */
  readonly random: () => number
  /** In Mbit/s: a transfer is to last for some kills. */
  readonly limitRate: number
  readonly onKill?: (done: number, soFar: TransferKills) => void
}

/** A scanner's process and what it said. */
interface Scanning {
  readonly process: ChildProcess
  readonly slideId: Promise<SlideId>
  /** The exit code; null after a signal. */
  readonly ended: Promise<number | null>
}

class Victims implements AsyncDisposable {
  readonly #options: KillTransferOptions
  readonly #port: number
  readonly #rtcPort: number
  readonly #invitation: string
  #node: ChildProcess | undefined
  #scanners = 0

  private constructor(options: KillTransferOptions, port: number, rtcPort: number, invitation: string) {
    this.#options = options
    this.#port = port
    this.#rtcPort = rtcPort
    this.#invitation = invitation
  }

  static async open(options: KillTransferOptions): Promise<Victims> {
    const stateDir = join(options.directory, 'node')
    await mkdir(stateDir, { recursive: true })
    const issuer = await InvitationIssuer.open(await loadInvitationKey(stateDir))
    const terms = { consultationId: ConsultationId.parse('case-1'), memberId: MemberId.parse('scanner-1'), role: 'scanner', lifetimeSeconds: 86_400 } as const
    const port = await findFreePorts(2)
    return new Victims(options, port, port + 1, await issuer.issue(terms))
  }

  get storeDirectory(): string {
    return join(this.#options.directory, 'node', 'slides')
  }

  get scannerDirectory(): string {
    return join(this.#options.directory, 'scanner')
  }

  async startNode(): Promise<void> {
    const settings = ['--listen-port', this.#port, '--rtc-base-port', this.#rtcPort, '--workers', 1, '--state-dir', join(this.#options.directory, 'node'), '--log-level', 'error'].map(String)
    const child = spawn(process.execPath, [KENKYO, 'node', ...settings], { stdio: ['ignore', 'ignore', 'inherit'] })
    this.#node = child
    for (const deadline = Date.now() + READY_DEADLINE_MILLIS; ;) {
      if (child.exitCode !== null) throw new Error('the node ended by itself')
      if (Date.now() > deadline) throw new Error('the node did not come up')
      const isReady = await fetch(`http://127.0.0.1:${this.#port}/healthz`, { signal: AbortSignal.timeout(2000) }).then(({ ok }) => ok, () => false)
      if (isReady) return
      await delay(50)
    }
  }

  async killNode(): Promise<void> {
    await kill(this.#node)
    this.#node = undefined
  }

  /** By link and by HTTPS in turn. */
  startScanner(): Scanning {
    const carrier = this.#scanners++ % 2 === 0 ? 'link' : 'https'
    const settings = ['--json', '--state-dir', this.scannerDirectory, '--node', `http://127.0.0.1:${this.#port}`, '--carrier', carrier, '--limit-rate', this.#options.limitRate, '--still-seconds', 0.1, '--log-level', 'error'].map(String)
    const child = spawn(process.execPath, [KENKYO, 'scan', this.#options.slidePath, ...settings], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, KENKYO_INVITATION: this.#invitation } })
    const started = Promise.withResolvers<SlideId>()
    started.promise.catch(() => undefined)
    createInterface(child.stdout).on('line', line => {
      const said = JSON.parse(line) as { readonly event: string; readonly slideId?: string }
      if (said.event === 'started') started.resolve(SlideId.parse(said.slideId))
    })
    const ended: Promise<number | null> = once(child, 'exit').then(([code]: unknown[]) => (typeof code === 'number' ? code : null))
    void ended.then(() => {
      started.reject(new Error('the scanner ended before it began'))
    })
    return { process: child, slideId: started.promise, ended }
  }

  /** Which chunks the node says it has, by level. */
  async chunksHere(slideId: SlideId): Promise<Map<number, Uint8Array>> {
    using door = new HttpDoor({ origin: `http://127.0.0.1:${this.#port}`, token: this.#invitation })
    const here = new Map<number, Uint8Array>()
    for (let level = 0; level < 32; level++) {
      try {
        here.set(level, (await door.missing(slideId, level, AbortSignal.timeout(10_000))).map(byte => ~byte))
      } catch (error) {
        if (toFault(error).code !== 'not_found') throw error
      }
    }
    return here
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killNode()
  }
}

async function kill(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

/** Kills node and scanner with SIGKILL at random moments, lets the last transfer end, and compares every slide that arrived with the file. */
export async function killTransfers(options: KillTransferOptions): Promise<TransferKills> {
  const { count, random, onKill } = options
  const kills = { node: 0, scanner: 0 }
  const lost: string[] = []
  let [slides, tiles, chunksAsked] = [0, 0, 0]
  await using victims = await Victims.open(options)
  await victims.startNode()
  await using scope = new AsyncDisposableStack()
  let scanning = victims.startScanner()
  scope.defer(() => kill(scanning.process))
  let sending: SlideId | undefined
  for (let done = 0; ;) {
    const { ended } = scanning
    const said = await Promise.race([scanning.slideId, ended.then(() => undefined)]).catch(() => undefined)
    // One that was killed after the last acknowledgement leaves nothing to do to the next, which then names no slide.
    const slideId = (sending = said ?? sending)
    const end = done < count ? await Promise.race([ended, delay(random() * LONGEST_LIFE_MILLIS).then(() => 'alive' as const)]) : await ended
    if (end !== 'alive') {
      if (end !== 0 || slideId === undefined) throw new Error(`the scanner ended by itself with ${end}`)
      await victims.killNode()
      const compared = await compare(options.slidePath, slideId, victims.storeDirectory, options.directory)
      lost.push(...compared.lost)
      tiles += compared.tiles
      slides++
      await rm(victims.scannerDirectory, { recursive: true, force: true })
      sending = undefined
      if (done >= count) break
      await victims.startNode()
      scanning = victims.startScanner()
      continue
    }
    if (random() < 0.5) {
      kills.scanner++
      await kill(scanning.process)
      scanning = victims.startScanner()
    } else {
      kills.node++
      const before = slideId === undefined ? undefined : await victims.chunksHere(slideId)
      await delay(random() * 200)
      await victims.killNode()
      await victims.startNode()
      if (slideId !== undefined && before !== undefined) {
        const after = await victims.chunksHere(slideId)
        for (const [level, here] of before) {
          for (const [index, byte] of here.entries()) {
            chunksAsked += bits(byte)
            if ((byte & ~(after.get(level)?.[index] ?? 0)) !== 0) lost.push(`acknowledged chunks of level ${level}`)
          }
        }
      }
    }
    onKill?.(++done, { kills, slides, tiles, chunksAsked, lost })
  }
  return { kills, slides, tiles, chunksAsked, lost }
}

const bits = (byte: number): number => (byte & 255).toString(2).replaceAll('0', '').length

/** Reads a slide out of its store and the file again, tile by tile, and deletes it from the store. */
async function compare(path: string, slideId: SlideId, storeDirectory: string, directory: string): Promise<{ readonly tiles: number; readonly lost: string[] }> {
  const lost: string[] = []
  let tiles = 0
  await using store = await FileSlideStore.open({ directory: storeDirectory, quotaBytes: 2 ** 40, log: createLogger({ level: 'error', program: 'bench' }) })
  const record = store.slide(slideId)
  if (record?.state !== 'complete') return { tiles, lost: [`slide ${slideId} is not complete`] }
  const made = await mkdtemp(join(directory, 'made-'))
  {
    await using fresh = new DeidentifiedSlide(await makePyramid(await openSlide(path), { directory: made }), { slideId, pseudonym: record.structure.pseudonym })
    await verifySlideHead(store.slideHead(slideId) ?? '', record.key)
    if (JSON.stringify(fresh.structure) !== record.structureBytes.toString('utf8')) lost.push('structure')
    for (const [level, shape] of fresh.structure.levels.entries()) {
      const kept = store.level(slideId, level)
      if (kept === undefined) {
        lost.push(`level ${level}`)
        continue
      }
      await verifyLevelHead(kept.head, record.key)
      const index = LevelIndex.decode(kept.index, shape)
      for (let ordinal = 0; ordinal < index.tiles; ordinal++) {
        const { chunk, offset, length } = index.locate(ordinal)
        const stored = length === 0 ? Buffer.alloc(0) : await store.readChunk(record.owner, index.chunk(chunk).sha256, offset, length)
        if (!stored.equals(await fresh.readTile(level, tileAt(shape, ordinal)))) lost.push(`tile ${ordinal} of level ${level}`)
        tiles++
      }
    }
  }
  await rm(made, { recursive: true })
  await store.deleteSlide(slideId)
  await store.verify(({ kind, chunk }) => lost.push(`${kind} ${chunk}`))
  return { tiles, lost }
}

/** Numbers from a seed, from 0 to 1. @see G. Marsaglia, "Xorshift RNGs" */
export function seeded(seed: number): () => number {
  let state = seed | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { count: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } } })
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-kill-'))
  try {
    const slidePath = join(directory, 'slide.svs')
    await writeSyntheticSlide(slidePath, { ...SMALL_SLIDE, width: 6000, height: 4500, quality: 80 })
    const onKill = (done: number, { kills, slides, lost }: TransferKills): void => {
      if (done % 20 === 0) process.stderr.write(`${done} kills, ${kills.node} of the node and ${kills.scanner} of the scanner: ${slides} slides compared, ${lost.length} lost\n`)
    }
    const outcome = await killTransfers({ directory, slidePath, count: Number(values.count), random: seeded(Number(values.seed)), limitRate: 2.5, onKill })
    process.stdout.write(`${JSON.stringify(outcome, null, 2)}\n`)
    process.exitCode = outcome.lost.length === 0 ? 0 : 1
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
