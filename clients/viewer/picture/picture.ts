import type { Pyramid } from '../../../relay/wire/pyramid.ts'
import { RelayFault } from '../../../relay/wire/fault.ts'
import type { RenditionTrack } from '../session/reception.ts'
import type { Rect } from '../view/viewport.ts'
import type { FromPicture, PictureFailure, PictureState, PictureView, ToPicture, UploadPath } from './messages.ts'
import type { Alignment } from './truth.ts'
import { VideoFrames } from './video-frames.ts'

/** What the page hears of the picture. */
export interface PictureListener {
  drawn(state: PictureState): void
  failed(reason: PictureFailure): void
}

/** Choices that tests and odd browsers make. */
export interface PictureOptions {
  readonly upload: UploadPath | undefined
  /** Take frames from `<video>` elements even where there is something better. */
  readonly forceVideoElements: boolean
}

/** Pixels read back from the canvas. */
export interface Captured {
  readonly area: Rect
  /** RGBA, rows from the top. */
  readonly pixels: Uint8Array<ArrayBuffer>
  readonly state: PictureState
}

/** A software renderer may need seconds for one picture of 8K. */
const CAPTURE_TIMEOUT_MS = 30_000

/** The canvas, drawn by a worker; the page's end of it. */
export class Picture {
  readonly alignment: Alignment
  readonly #worker: Worker
  readonly #listener: PictureListener
  readonly #captures = new Map<number, (captured: Captured) => void>()
  #nextCaptureId = 1
  #videos: VideoFrames | undefined
  #pyramid: Pyramid | null = null

  /** Both canvases are handed over to the worker for good. */
  constructor(canvas: HTMLCanvasElement, minimap: HTMLCanvasElement, options: PictureOptions, listener: PictureListener) {
    this.#listener = listener
    this.alignment = 'MediaStreamTrackProcessor' in globalThis && !options.forceVideoElements ? 'exact' : 'approximate'
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
    this.#worker.addEventListener('message', (event: MessageEvent<FromPicture>) => this.#receive(event.data))
    this.#worker.addEventListener('error', () => listener.failed('worker_failed'))
    const [main, small] = [canvas.transferControlToOffscreen(), minimap.transferControlToOffscreen()]
    this.#post({ type: 'start', canvas: main, minimap: small, upload: options.upload }, [main, small])
    document.addEventListener('visibilitychange', () => this.#post({ type: 'visibility', isVisible: !document.hidden }))
  }

  /** All tracks so far are over; the picture stays until new ones deliver. */
  setPublication(pyramid: Pyramid | null): void {
    this.#pyramid = pyramid
    this.#videos?.close()
    this.#videos = undefined
    this.#post({ type: 'publication', pyramid, alignment: this.alignment })
  }

  /** Nothing of what was drawn is to be seen any more. */
  forget(): void {
    this.setPublication(null)
    this.#post({ type: 'forget' })
  }

  /** The tracks of the current publication. */
  setTracks(tracks: readonly RenditionTrack[]): void {
    if (this.alignment === 'exact') {
      const streams = tracks.map(({ renditionId, track }) => {
        return { renditionId, readable: new MediaStreamTrackProcessor({ track, maxBufferSize: 2 }).readable }
      })
      this.#post({ type: 'tracks', tracks: streams }, streams.map(stream => stream.readable))
      return
    }
    this.#videos?.close()
    this.#videos = new VideoFrames(tracks, this.#pyramid?.framesPerSecond ?? 30, (renditionId, timestamp, frame) => {
      this.#post({ type: 'frame', renditionId, rtpTimestamp: timestamp, frame }, [frame])
    })
  }

  setView(view: PictureView): void {
    this.#post({ type: 'view', view })
  }

  /**
   * Draws once more and reads pixels back in the same task, so that pixels and state belong together.
   *
   * @throws {RelayFault} `timeout` when the worker does not answer.
   */
  capture(area: Rect): Promise<Captured> {
    const captureId = this.#nextCaptureId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#captures.delete(captureId)
        reject(new RelayFault('timeout', 'the picture was not read back in time'))
      }, CAPTURE_TIMEOUT_MS)
      this.#captures.set(captureId, captured => {
        clearTimeout(timer)
        resolve(captured)
      })
      this.#post({ type: 'capture', captureId, area })
    })
  }

  #receive(message: FromPicture): void {
    switch (message.type) {
      case 'state':
        this.#listener.drawn(message.state)
        break
      case 'captured':
        this.#captures.get(message.captureId)?.(message)
        this.#captures.delete(message.captureId)
        break
      case 'failed':
        this.#listener.failed(message.reason)
        break
      default:
        message satisfies never
    }
  }

  #post(message: ToPicture, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer)
  }
}
