/**
 * Browser interfaces that TypeScript's DOM library does not know yet.
 *
 * @see W3C mediacapture-transform section 3 (MediaStreamTrackProcessor)
 * @see W3C webcodecs-video-frame-metadata-registry (rtpTimestamp)
 */
interface VideoFrameMetadata {
  /** The RTP timestamp of the frame's packets, when it came through WebRTC. */
  rtpTimestamp?: number
}

interface VideoFrame {
  metadata?(): VideoFrameMetadata
}

interface MediaStreamTrackProcessorInit {
  track: MediaStreamTrack
  /** Frames that wait for the reader; the oldest is dropped when one more comes. */
  maxBufferSize?: number
}

declare class MediaStreamTrackProcessor {
  constructor(init: MediaStreamTrackProcessorInit)
  readonly readable: ReadableStream<VideoFrame>
}
