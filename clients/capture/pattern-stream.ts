import { Readable } from 'node:stream'
import { millis } from '../../relay/wire/units.ts'
import { PatternCard } from './pattern.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { PatternGrid } from './pattern.ts'

/** What {@link patternStream} needs. */
export interface PatternStreamOptions {
  readonly grid: PatternGrid
  readonly framesPerSecond: number
  readonly clock: Clock
  readonly signal: AbortSignal
}

async function* patternFrames(options: PatternStreamOptions): AsyncGenerator<Buffer> {
  const { clock, grid, signal } = options
  const interval = 1000 / options.framesPerSecond
  // A stream asks for the next chunk while it still writes the last one, so two canvases take turns.
  const cards = [new PatternCard(grid), new PatternCard(grid)]
  let due: number = clock.now()
  for (let frameNumber = 0; ; frameNumber++) {
    const now = clock.now()
    // Time that was missed is not made up for: an encoder too slow for the frame rate shows fewer frames, not older ones.
    due = Math.max(due, now - interval)
    if (due > now) await clock.sleep(millis(due - now), signal)
    const card = cards[frameNumber % cards.length]
    if (card !== undefined) yield card.draw(frameNumber)
    due += interval
  }
}

/** The test card as raw I420 frames: as fast as they are taken, but never faster than the frame rate. */
export function patternStream(options: PatternStreamOptions): Readable {
  return Readable.from(patternFrames(options), { highWaterMark: 1 })
}
