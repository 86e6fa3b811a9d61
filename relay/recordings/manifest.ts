import { z } from 'zod'
import { MAX_RENDITIONS, PublicationId, RenditionId } from '../wire/ids.ts'
import { Pyramid } from '../wire/pyramid.ts'

/** The file in a recording's directory that describes the others. */
export const MANIFEST_FILE = 'recording.json'

/**
 * `recording.json` of what flowed while it was recorded. Renditions may begin late, pause and end, and a
 * file that was being written when its program ended is cut off anywhere. RTP timestamps of all files
 * share one clock; sequence numbers begin anywhere.
 */
export const FlowedManifest = z.strictObject({
  version: z.literal(3),
  pyramid: Pyramid,
  publicationId: PublicationId,
  /** RTP timestamp of the publication that is 0 in the files. */
  rtpBase: z.uint32(),
  /** In the files, of the moment when the first packet came. */
  originTicks: z.int().min(0),
  /** That moment, in milliseconds since the recording began. */
  startMillis: z.number().min(0),
  /** Those of the pyramid, in its order; a file may not be there. */
  renditions: z.array(z.strictObject({ id: RenditionId, file: z.string().regex(/^[a-z0-9-]{1,32}\.rtpdump$/) })).min(1).max(MAX_RENDITIONS),
})
export type FlowedManifest = z.infer<typeof FlowedManifest>

/** The SSRC of rendition `index` in the files of a recording. */
export const recordedSsrc = (index: number): number => index + 1

/** RTP payload types in recorded files; replay assigns its own. */
export const RECORDED_PAYLOAD_TYPES = { H264: 96, VP9: 98 } as const
