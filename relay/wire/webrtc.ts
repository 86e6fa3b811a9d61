/**
 * The WebRTC parameter objects that cross the signaling connection, in mediasoup's spelling.
 *
 * Only the shape is checked here: sizes, types and the fields everything rests on. Whether codecs and
 * extensions make sense together is for mediasoup's own ORTC validation, behind the same door.
 *
 * @see https://mediasoup.org/documentation/v3/mediasoup/rtp-parameters-and-capabilities/
 */
import { z } from 'zod'

const scalar = z.union([z.string().max(256), z.number(), z.boolean(), z.null()])

/** @see RFC 8122 (fingerprint), RFC 8842 (role) */
export const DtlsParameters = z.strictObject({
  role: z.enum(['auto', 'client', 'server']).optional(),
  fingerprints: z
    .array(
      z.strictObject({
        algorithm: z.enum(['sha-1', 'sha-224', 'sha-256', 'sha-384', 'sha-512']),
        value: z.string().regex(/^[0-9A-F]{2}(:[0-9A-F]{2}){19,63}$/i),
      }),
    )
    .min(1)
    .max(8),
})
export type DtlsParameters = z.infer<typeof DtlsParameters>

export const IceParameters = z.strictObject({
  usernameFragment: z.string().max(256),
  password: z.string().max(256),
  iceLite: z.boolean().optional(),
})
export type IceParameters = z.infer<typeof IceParameters>

export const IceCandidate = z.strictObject({
  foundation: z.string().max(64),
  priority: z.number(),
  ip: z.string().max(256),
  address: z.string().max(256),
  protocol: z.enum(['udp', 'tcp']),
  port: z.int().min(0).max(65_535),
  type: z.enum(['host', 'srflx', 'prflx', 'relay']),
  tcpType: z.enum(['passive']).optional(),
})
export type IceCandidate = z.infer<typeof IceCandidate>

/** A relay that media may go by, and what it lets one member in with for a while. @see W3C webrtc, `RTCIceServer` */
export const IceServer = z.strictObject({
  urls: z.array(z.string().max(256)).min(1).max(8),
  username: z.string().max(256),
  credential: z.string().max(256),
})
export type IceServer = z.infer<typeof IceServer>

const kind = z.enum(['audio', 'video'])
const rtcpFeedback = z.looseObject({ type: z.string().max(64), parameter: z.string().max(64).optional() })
const codecParameters = z.record(z.string().max(64), scalar)

/** What a receiver can decode. */
export const RtpCapabilities = z.looseObject({
  codecs: z
    .array(
      z.looseObject({
        kind,
        mimeType: z.string().max(64),
        clockRate: z.int().min(1),
        preferredPayloadType: z.int().min(0).max(127).optional(),
        channels: z.int().min(1).max(8).optional(),
        parameters: codecParameters.optional(),
        rtcpFeedback: z.array(rtcpFeedback).max(16).optional(),
      }),
    )
    .max(128),
  headerExtensions: z
    .array(z.looseObject({ kind, uri: z.string().max(256), preferredId: z.int().min(1).max(255) }))
    .max(64)
    .optional(),
})
export type RtpCapabilities = z.infer<typeof RtpCapabilities>

/** What one consumer receives; made by mediasoup, so only its outline is checked by those who read it. */
export const RtpParameters = z.looseObject({
  mid: z.string().max(32).optional(),
  codecs: z.array(z.looseObject({ mimeType: z.string(), payloadType: z.int(), clockRate: z.int() })).min(1),
  headerExtensions: z.array(z.looseObject({ uri: z.string(), id: z.int() })).optional(),
  encodings: z.array(z.looseObject({ ssrc: z.number().optional() })).optional(),
  rtcp: z.looseObject({ cname: z.string().optional(), reducedSize: z.boolean().optional() }).optional(),
})
export type RtpParameters = z.infer<typeof RtpParameters>
