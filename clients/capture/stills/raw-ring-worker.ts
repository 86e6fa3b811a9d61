/** The thread that reads raw frames from ffmpeg's pipe into the slots of a ring. */
import { closeSync, openSync, readSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import type { RawRingTask } from './raw-ring.ts'

const EMPTY = -1
const { path, frameBytes, slots, states: shared, progress: read } = workerData as RawRingTask
const states = new Int32Array(shared)
const progress = new Int32Array(read)
let last = -1

/** The next slot that nobody holds. There is one: fewer are held than there are. */
function takeSlot(): number {
  for (;;) {
    last = (last + 1) % slots.length
    const before = Atomics.exchange(states, 2 * last, EMPTY)
    if (Atomics.load(states, 2 * last + 1) === 0) return last
    Atomics.store(states, 2 * last, before)
  }
}

/** @returns Whether a whole frame came. */
function readFrame(pipe: number, into: Uint8Array): boolean {
  for (let at = 0; at < frameBytes;) {
    const read = readSync(pipe, into, at, frameBytes - at, null)
    if (read === 0) return false
    at += read
  }
  return true
}

const pipe = openSync(path, 'r')
for (let frame = 0; ; frame++) {
  const slot = takeSlot()
  const memory = slots[slot]
  if (memory === undefined || !readFrame(pipe, new Uint8Array(memory))) break
  Atomics.store(states, 2 * slot, frame)
  Atomics.store(progress, 0, frame + 1)
  Atomics.notify(progress, 0)
}
closeSync(pipe)
