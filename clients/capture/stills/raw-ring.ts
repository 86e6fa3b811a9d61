import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { RelayFault } from '../../../relay/wire/fault.ts'
import type { Millis } from '../../../relay/wire/units.ts'

/** Frames that may be held beside the ring's own. */
const HELD_FRAMES = 2
/** How often a reader that does not end is told to. */
const END_INTERVAL_MILLIS = 10
/** Free slot: no frame is in it. */
const EMPTY = -1
/** As {@link RawRingTask.progress}, once no more will be read: nobody waits for a frame. */
const ENDED = 2 ** 31 - 1

/** What the thread that reads is told. */
export interface RawRingTask {
  readonly path: string
  readonly frameBytes: number
  readonly slots: readonly SharedArrayBuffer[]
  /** Two words for each slot: the number of the frame in it, and how often it is held. */
  readonly states: SharedArrayBuffer
  /** One word: frames read since the beginning. */
  readonly progress: SharedArrayBuffer
}

/** A raw frame that is held: it is not overwritten before it is disposed of. */
export interface HeldFrame extends Disposable {
  readonly planes: Uint8Array
}

/** How many frames a ring of so many seconds has; fewer where they take more than `mostBytes`. */
export function ringFrames(seconds: number, framesPerSecond: number, frameBytes: number, mostBytes: number): number {
  const slots = Math.floor(mostBytes / frameBytes)
  // One is being written.
  return Math.max(0, Math.min(Math.ceil(seconds * framesPerSecond), slots - HELD_FRAMES - 1))
}

/**
 * The latest raw frames of an encoder, in memory that is taken once. ffmpeg writes them into a named pipe, and a thread
 * that does nothing else reads them: ffmpeg is not held up by what this process does.
 */
export class RawRing implements AsyncDisposable {
  /** What ffmpeg writes raw frames to. */
  readonly path: string
  readonly #slots: readonly SharedArrayBuffer[]
  readonly #states: Int32Array
  readonly #progress: Int32Array<SharedArrayBuffer>
  readonly #worker: Worker
  readonly #ended: Promise<unknown>
  readonly #directory: string

  private constructor(directory: string, task: RawRingTask) {
    this.#directory = directory
    this.path = task.path
    this.#slots = task.slots
    this.#states = new Int32Array(task.states)
    this.#progress = new Int32Array(task.progress)
    this.#worker = new Worker(new URL('./raw-ring-worker.ts', import.meta.url), { workerData: task })
    this.#ended = new Promise(resolve => this.#worker.once('exit', resolve)).then(() => this.#letGo())
    // Then nothing is found in it, and stills are decoded.
    this.#worker.once('error', () => undefined)
  }

  /** @throws {RelayFault} `bad_config` on a system without named pipes, or without the memory. */
  static async open(frames: number, frameBytes: number): Promise<RawRing> {
    const directory = await mkdtemp(join(tmpdir(), 'kenkyo-ring-'))
    try {
      const path = join(directory, 'frames')
      await makePipe(path)
      const count = frames + HELD_FRAMES + 1
      const states = new SharedArrayBuffer(8 * count)
      new Int32Array(states).forEach((_, index, words) => (words[index] = index % 2 === 0 ? EMPTY : 0))
      const slots = Array.from({ length: count }, () => new SharedArrayBuffer(frameBytes))
      return new RawRing(directory, { path, frameBytes, slots, states, progress: new SharedArrayBuffer(4) })
    } catch (cause) {
      await rm(directory, { recursive: true, force: true })
      throw new RelayFault('bad_config', '--still-ring: this machine has no named pipes, or not the memory', { cause })
    }
  }

  /** Holds frame `index`, counted from 0; undefined when it left the ring, has not come, or as many are held as may be. */
  hold(index: number): HeldFrame | undefined {
    for (const [slot, memory] of this.#slots.entries()) {
      if (Atomics.load(this.#states, 2 * slot) !== index) continue
      if (this.#heldFrames() >= HELD_FRAMES) return undefined
      // The reader marks a slot as empty before it looks whether it is held: one of the two sees the other.
      Atomics.add(this.#states, 2 * slot + 1, 1)
      const release = this.#releaser(slot)
      if (Atomics.load(this.#states, 2 * slot) === index) return { planes: new Uint8Array(memory), [Symbol.dispose]: release }
      release()
    }
    return undefined
  }

  /**
   * Holds frame `index` once it has been read: ffmpeg's outputs are not in step, and its encoders can be ahead of the pipe.
   *
   * @param patience - How long to wait for each frame before it.
   * @returns undefined as from {@link hold}, and when no frame comes for so long.
   */
  async holdWhenRead(index: number, patience: Millis): Promise<HeldFrame | undefined> {
    for (;;) {
      const read = Atomics.load(this.#progress, 0)
      if (read > index) return this.hold(index)
      if ((await Atomics.waitAsync(this.#progress, 0, read, patience).value) === 'timed-out') return undefined
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reader = { isRunning: true }
    const ended = this.#ended.then(() => (reader.isRunning = false))
    // A reader that still waits for ffmpeg to begin is let go: opened for both, a pipe does not wait, and closed it has ended.
    while (reader.isRunning) {
      const pipe = openSync(this.path, constants.O_RDWR | constants.O_NONBLOCK)
      await Promise.race([ended, delay(END_INTERVAL_MILLIS)])
      closeSync(pipe)
      await Promise.race([ended, delay(END_INTERVAL_MILLIS)])
    }
    await rm(this.#directory, { recursive: true, force: true })
  }

  #letGo(): void {
    Atomics.store(this.#progress, 0, ENDED)
    Atomics.notify(this.#progress, 0)
  }

  #heldFrames(): number {
    return this.#slots.filter((_, slot) => Atomics.load(this.#states, 2 * slot + 1) > 0).length
  }

  #releaser(slot: number): () => void {
    let isHeld = true
    return () => {
      if (isHeld) Atomics.sub(this.#states, 2 * slot + 1, 1)
      isHeld = false
    }
  }
}

async function makePipe(path: string): Promise<void> {
  const child = spawn('mkfifo', ['-m', '600', path], { stdio: 'ignore' })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`mkfifo ended with ${code}`)
}
