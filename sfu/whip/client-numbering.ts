import { MEDIA_CODECS } from '../media-codecs.ts'
import type { RenditionCodec } from '../../relay/wire/pyramid.ts'
import type { ChosenCodec } from './foreign-offer.ts'
import type { RouterRtpCodecCapability } from 'mediasoup/types'

/** The order in which mediasoup hands out payload types that nobody chose. @see mediasoup's `ortc.generateRouterRtpCapabilities` */
const DYNAMIC_PAYLOAD_TYPES = [...Array.from({ length: 28 }, (_, index) => 100 + index), 96, 97, 98, 99]

/** A client's numbers for the one codec that it gets. */
export type ClientNumbering = Pick<ChosenCodec, 'name' | 'payloadType' | 'rtxPayloadType'>

/** What of a client's numbers a router can be made to use: RTX under a number that mediasoup never hands out is done without. */
export function usableNumbering({ name, payloadType, rtxPayloadType }: ClientNumbering): ClientNumbering {
  return { name, payloadType, rtxPayloadType: DYNAMIC_PAYLOAD_TYPES.includes(rtxPayloadType ?? -1) ? rtxPayloadType : undefined }
}

/** Equal for clients that count alike. */
export const numberingKey = ({ name, payloadType, rtxPayloadType }: ClientNumbering): string => `${name} ${payloadType} ${rtxPayloadType ?? 'none'}`

function codecNamed(name: RenditionCodec): RouterRtpCodecCapability {
  const codec = MEDIA_CODECS.find(({ mimeType }) => mimeType === `video/${name}`)
  if (codec === undefined) throw new Error(`no router forwards ${name}`)
  return codec
}

/** The variant of a codec that every router forwards. */
export const parametersOf = (name: RenditionCodec): Record<string, unknown> => ({ ...(codecNamed(name).parameters as Record<string, unknown>) })

/**
 * The codecs of a router that sends under a client's own numbers.
 *
 * A mediasoup consumer cannot renumber, and a router numbers RTX by itself: it takes the first number of its
 * list that is free. What comes before the wanted one is given to audio codecs, which nobody uses.
 */
export function numberedCodecs({ name, payloadType, rtxPayloadType }: ClientNumbering): RouterRtpCodecCapability[] {
  const wanted = rtxPayloadType === undefined ? -1 : DYNAMIC_PAYLOAD_TYPES.indexOf(rtxPayloadType)
  const before = DYNAMIC_PAYLOAD_TYPES.slice(0, Math.max(0, wanted)).filter(number => number !== payloadType)
  return [
    ...before.map((number): RouterRtpCodecCapability => ({ kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2, preferredPayloadType: number })),
    { ...codecNamed(name), preferredPayloadType: payloadType },
  ]
}
