import { z } from 'zod'
import { DtlsParameters } from '../../relay/wire/webrtc.ts'
import { Pyramid } from '../../relay/wire/pyramid.ts'

/** What a process with mediasoup in it is told. */
export const MediasoupCommand = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('open'), pyramid: Pyramid, firstSsrc: z.int(), mediaPort: z.int(), sourcePort: z.int() }),
  z.strictObject({ type: z.literal('offer') }),
  z.strictObject({ type: z.literal('accept'), viewer: z.int().min(0), dtlsParameters: DtlsParameters }),
])
export type MediasoupCommand = z.infer<typeof MediasoupCommand>

/** What it answers, in turn. */
export const MediasoupReply = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('opened'), port: z.int() }),
  z.strictObject({ type: z.literal('offered'), viewer: z.int(), sdp: z.string() }),
  z.strictObject({ type: z.literal('accepted') }),
])
export type MediasoupReply = z.infer<typeof MediasoupReply>
