import type { RouterRtpCodecCapability } from 'mediasoup/types'

/** What voices are carried in. @see RFC 7587 section 7: always 48 kHz and two channels in signaling */
export const OPUS: RouterRtpCodecCapability = { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 }

/**
 * What every router forwards.
 *
 * Constrained Baseline is registered because software Chromium offers nothing above it; decoders take
 * the higher profiles an encoder may really use in-band.
 */
export const MEDIA_CODECS: RouterRtpCodecCapability[] = [
  {
    kind: 'video',
    mimeType: 'video/H264',
    clockRate: 90_000,
    parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f', 'level-asymmetry-allowed': 1 },
  },
  { kind: 'video', mimeType: 'video/VP9', clockRate: 90_000, parameters: { 'profile-id': 0 } },
  // Last, so that the payload types of video do not depend on it.
  OPUS,
]
