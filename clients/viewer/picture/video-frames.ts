import type { RenditionId } from '../../../relay/wire/ids.ts'
import { rtpTimestamp, VIDEO_CLOCK_RATE } from '../../../relay/wire/units.ts'
import type { RtpTimestamp } from '../../../relay/wire/units.ts'
import type { RenditionTrack } from '../session/reception.ts'

/** Takes over one frame of one rendition. */
export type FrameReceiver = (renditionId: RenditionId, timestamp: RtpTimestamp, frame: VideoFrame | ImageBitmap) => void

/**
 * Frames by way of hidden `<video>` elements, for browsers that give no streams of them. The element may
 * already have moved on to the next frame when it is copied, so alignment is approximate.
 *
 * @see W3C HTMLVideoElement.requestVideoFrameCallback
 */
export class VideoFrames {
  readonly #receive: FrameReceiver
  readonly #frameTicks: number
  readonly #videos: HTMLVideoElement[] = []
  #isClosed = false

  constructor(tracks: readonly RenditionTrack[], framesPerSecond: number, receive: FrameReceiver) {
    this.#receive = receive
    this.#frameTicks = VIDEO_CLOCK_RATE / framesPerSecond
    for (const { renditionId, track } of tracks) this.#follow(renditionId, track)
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true
    for (const video of this.#videos.splice(0)) {
      video.srcObject = null
      video.remove()
    }
  }

  #follow(renditionId: RenditionId, track: MediaStreamTrack): void {
    const video = document.createElement('video')
    video.muted = true
    video.playsInline = true
    video.className = 'frame-source'
    video.srcObject = new MediaStream([track])
    document.body.append(video)
    this.#videos.push(video)
    // Refused or interrupted playback shows as missing frames, which the badge tells.
    video.play().catch(() => undefined)
    const onFrame = (_now: number, metadata: VideoFrameCallbackMetadata): void => {
      if (this.#isClosed) return
      video.requestVideoFrameCallback(onFrame)
      void this.#copy(video, renditionId, this.#timestamp(metadata))
    }
    video.requestVideoFrameCallback(onFrame)
  }

  async #copy(video: HTMLVideoElement, renditionId: RenditionId, timestamp: RtpTimestamp): Promise<void> {
    try {
      const frame = await createImageBitmap(video)
      if (this.#isClosed) frame.close()
      else this.#receive(renditionId, timestamp, frame)
    } catch {
      // The element lost its picture between the callback and the copy: a frame less.
    }
  }

  /** The frame's RTP timestamp, or where the browser hides it, its presentation time in whole frames. */
  #timestamp(metadata: VideoFrameCallbackMetadata): RtpTimestamp {
    if (metadata.rtpTimestamp !== undefined) return rtpTimestamp(metadata.rtpTimestamp)
    const frames = Math.round((metadata.expectedDisplayTime * VIDEO_CLOCK_RATE) / 1000 / this.#frameTicks)
    return rtpTimestamp(frames * this.#frameTicks)
  }
}
