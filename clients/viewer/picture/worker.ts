import '../jitless.ts'
import type { RenditionId } from '../../../relay/wire/ids.ts'
import { millis, rtpTimestamp, VIDEO_CLOCK_RATE } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'
import type { Rect } from '../view/viewport.ts'
import { openCanvas } from './canvas-context.ts'
import { Compositor, monotonicNow } from './compositor.ts'
import type { FromPicture, ToPicture } from './messages.ts'
import { Minimap } from './minimap.ts'

/** The part of a worker's global scope that is used here; TypeScript's DOM library describes a window. */
interface WorkerScope {
  postMessage(message: FromPicture, transfer?: Transferable[]): void
  addEventListener(type: 'message', listener: (event: { readonly data: ToPicture }) => void): void
  requestAnimationFrame(callback: () => void): number
}

/** The page hears from this worker at least so often. */
const STATE_INTERVAL_MS = 200

/** A timer so late means that drawing kept this worker busy; reading what came meanwhile takes no longer. */
const OVERSLEPT_MS = 15

/** A capture is served so late at most, even where nothing animates (a hidden page). */
const CAPTURE_PATIENCE_MS = 250

/** Runs the compositor on a worker's messages, frames, timers and animation frames. */
class PictureWorker {
  readonly #scope: WorkerScope
  readonly #compositor: Compositor
  #tracks = new AbortController()
  #isDrawScheduled = false
  #wakeTimer: ReturnType<typeof setTimeout> | undefined
  #captures: { readonly captureId: number; readonly area: Rect }[] = []
  #postedAt = millis(0)

  constructor(scope: WorkerScope, canvas: OffscreenCanvas, compositor: Compositor) {
    this.#scope = scope
    this.#compositor = compositor
    canvas.addEventListener('webglcontextlost', () => scope.postMessage({ type: 'failed', reason: 'context_lost' }))
    setInterval(() => this.#postIfSilent(), STATE_INTERVAL_MS / 2)
  }

  handle(message: Exclude<ToPicture, { type: 'start' }>): void {
    switch (message.type) {
      case 'publication':
        this.#tracks.abort()
        this.#tracks = new AbortController()
        this.#compositor.setPublication(message.pyramid, message.alignment)
        this.#scheduleDraw()
        break
      case 'forget':
        this.#tracks.abort()
        this.#tracks = new AbortController()
        this.#compositor.forget()
        // At once: where nothing animates, in a hidden page, it would be seen for a moment when it is shown again.
        this.#draw()
        break
      case 'tracks':
        for (const { renditionId, readable } of message.tracks) void this.#read(renditionId, readable, this.#tracks.signal)
        break
      case 'frame':
        this.#compositor.receiveOpaque(message.renditionId, message.rtpTimestamp, message.frame, monotonicNow())
        this.#step()
        break
      case 'view':
        this.#compositor.setView(message.view)
        this.#step()
        this.#scheduleDraw()
        break
      case 'visibility':
        this.#compositor.forgiveFreeze()
        break
      case 'capture':
        this.#captures.push(message)
        setTimeout(() => {
          if (this.#captures.includes(message)) this.#draw()
        }, CAPTURE_PATIENCE_MS)
        this.#scheduleDraw()
        break
      default:
        message satisfies never
    }
  }

  /** Reads a track to its end. It is read even when it is not watched, so that no old frame waits in it. */
  async #read(renditionId: RenditionId, readable: ReadableStream<VideoFrame>, signal: AbortSignal): Promise<void> {
    const reader = readable.getReader()
    signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined))
    const clock = { now: monotonicNow, isCurrent: () => !signal.aborted }
    while (!signal.aborted) {
      const { done, value: frame } = await reader.read()
      if (done) return
      const ticks = frame.metadata?.().rtpTimestamp ?? (frame.timestamp * VIDEO_CLOCK_RATE) / 1e6
      try {
        await this.#compositor.receive(renditionId, rtpTimestamp(ticks), frame, clock)
      } catch {
        // One frame that cannot be read is a frame lost; the next one tells whether the track is.
        this.#scope.postMessage({ type: 'failed', reason: 'unreadable_frame' })
      }
      this.#step()
    }
  }

  #step(): void {
    const { isNew, wakeAt } = this.#compositor.step(monotonicNow())
    if (isNew) this.#scheduleDraw()
    clearTimeout(this.#wakeTimer)
    if (wakeAt !== undefined) this.#wakeTimer = setTimeout(() => this.#wake(wakeAt), Math.max(0, wakeAt - monotonicNow()) + 1)
  }

  /** After a deadline. When this worker itself was late, frames may have arrived that it could not read yet. */
  #wake(due: Millis): void {
    if (monotonicNow() - due < OVERSLEPT_MS) this.#step()
    else this.#wakeTimer = setTimeout(() => this.#step(), OVERSLEPT_MS)
  }

  #scheduleDraw(): void {
    if (this.#isDrawScheduled) return
    this.#isDrawScheduled = true
    this.#scope.requestAnimationFrame(() => {
      this.#isDrawScheduled = false
      this.#draw()
    })
  }

  #draw(): void {
    this.#compositor.draw({ now: monotonicNow })
    for (const { captureId, area } of this.#captures.splice(0)) {
      const pixels = this.#compositor.read(area)
      const state = this.#compositor.state(monotonicNow(), performance.timeOrigin)
      this.#scope.postMessage({ type: 'captured', captureId, pixels, area, state }, [pixels.buffer])
    }
    this.#postState()
  }

  #postIfSilent(): void {
    if (monotonicNow() - this.#postedAt >= STATE_INTERVAL_MS) this.#postState()
  }

  #postState(): void {
    this.#postedAt = monotonicNow()
    this.#scope.postMessage({ type: 'state', state: this.#compositor.state(this.#postedAt, performance.timeOrigin) })
  }
}

const scope = globalThis as unknown as WorkerScope
let worker: PictureWorker | undefined

scope.addEventListener('message', ({ data }) => {
  if (data.type !== 'start') {
    worker?.handle(data)
    return
  }
  const context = openCanvas(data.canvas)
  if (context === undefined) {
    scope.postMessage({ type: 'failed', reason: 'no_webgl2' })
    return
  }
  const compositor = new Compositor(context, new Minimap(data.minimap), data.upload ?? context.upload)
  worker = new PictureWorker(scope, data.canvas, compositor)
})
