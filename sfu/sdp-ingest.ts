import { RelayFault } from '../relay/wire/fault.ts'
import { millis } from '../relay/wire/units.ts'
import { LOCAL_LINK } from './node-metrics.ts'
import { parseOffer, writeAnswer } from './sdp-bridge.ts'
import type { RenditionId } from '../relay/wire/ids.ts'
import type { RequestOf } from '../relay/wire/signaling.ts'
import type { IngestedMedia } from './published-media.ts'
import type { OfferedTrack, ParsedOffer } from './sdp-bridge.ts'
import type { WebRtcTransport } from 'mediasoup/types'

/** Ask a microscope for a keyframe of one rendition at most this often, in milliseconds. */
const KEY_FRAME_REQUEST_DELAY_MILLIS = 500
const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/

interface TrackPlan {
  readonly renditionId: RenditionId
  readonly track: OfferedTrack
}

/** Pairs the renditions of a pyramid with the media sections of an offer, one to one. */
function pairTracks(request: RequestOf<'publish'>, offer: ParsedOffer): TrackPlan[] {
  const byMid = new Map(offer.tracks.map(track => [track.mid, track]))
  const codecs = new Map(request.pyramid.renditions.map(rendition => [rendition.id, rendition.codec]))
  if (request.tracks.length !== codecs.size || new Set(request.tracks.map(track => track.renditionId)).size !== codecs.size) {
    throw new RelayFault('bad_message', 'every rendition of the pyramid needs exactly one track')
  }
  return request.tracks.map(({ mid, renditionId }) => {
    const track = byMid.get(mid)
    const codec = codecs.get(renditionId)
    if (track === undefined || codec === undefined) {
      throw new RelayFault('bad_message', `track ${renditionId} has no media section or is not in the pyramid`)
    }
    byMid.delete(mid)
    const [offered] = track.rtpParameters.codecs
    if (offered?.mimeType !== `video/${codec}`) throw new RelayFault('unsupported_media', `${renditionId} is not offered as ${codec}`)
    return { renditionId, track }
  })
}

/** Media that comes by a WebRTC connection, and the answer that brings it about. */
export interface SdpIngest {
  readonly media: IngestedMedia
  /** SDP text for the microscope. */
  readonly answer: string
}

/**
 * Takes over `transport` and produces every rendition of an SDP offer on it.
 *
 * @throws {RelayFault} `bad_message` or `unsupported_media`; the transport is closed then.
 */
export async function openSdpIngest(transport: WebRtcTransport, request: RequestOf<'publish'>): Promise<SdpIngest> {
  try {
    const offer = parseOffer(request.sdp)
    const plans = pairTracks(request, offer)
    const answer = writeAnswer(offer.tracks, offer, transport)
    await transport.connect({ dtlsParameters: offer.dtlsParameters })
    const producers = await Promise.all(
      plans.map(async ({ renditionId, track: { kind, rtpParameters } }) => {
        const producer = await transport.produce({ kind, rtpParameters, keyFrameRequestDelay: KEY_FRAME_REQUEST_DELAY_MILLIS })
        return [renditionId, producer] as const
      }),
    )
    const isLocal = (): boolean => LOOPBACK.test(transport.iceSelectedTuple?.remoteIp ?? '')
    const clockOffset = (): ReturnType<IngestedMedia['clockOffset']> => (isLocal() ? millis(0) : undefined)
    return { media: { transport, producers: new Map(producers), linkName: LOCAL_LINK, clockOffset, lost: connectionLost(transport) }, answer }
  } catch (error) {
    transport.close()
    // mediasoup's ORTC validation speaks in plain errors.
    if (error instanceof RelayFault) throw error
    throw new RelayFault('unsupported_media', 'the offer cannot be forwarded', { cause: error })
  }
}

/** Settles, with the reason, when the far end of a connection is gone. Never rejects. */
export function connectionLost(transport: WebRtcTransport): Promise<RelayFault> {
  const lost = Promise.withResolvers<RelayFault>()
  transport.on('dtlsstatechange', state => {
    if (state === 'failed' || state === 'closed') lost.resolve(new RelayFault('unavailable', `DTLS ${state}`))
  })
  transport.on('icestatechange', state => {
    if (state === 'disconnected') lost.resolve(new RelayFault('unavailable', 'the far end stopped answering on ICE'))
  })
  return lost.promise
}
