import { createHash } from 'node:crypto'
import { SlideId } from '../../wire/ids.ts'

/** This implementation, in the file meta information. @see PS3.7 section D.3.3.2 */
export const IMPLEMENTATION = { classUid: '2.25.119604870219402396482216931206385106437', versionName: 'KENKYO' } as const

/** What a slide has a UID of its own for. */
export type UidRole = 'series' | 'frame-of-reference' | 'dimension-organization' | 'specimen' | `level-${number}`

/** A UUID as a UID. @see PS3.5 section B.2; ITU-T X.667 */
export const uidOfUuid = (uuid: string): string => `2.25.${BigInt(`0x${uuid.replaceAll('-', '')}`)}`

/** The Study Instance UID of a slide: its id. */
export const studyUidOf = (slideId: SlideId): string => uidOfUuid(slideId)

/** The slide of a Study Instance UID, if it can be one of ours. */
export function slideIdOfStudy(uid: string): SlideId | undefined {
  const digits = /^2\.25\.(0|[1-9]\d{0,38})$/.exec(uid)?.[1]
  if (digits === undefined) return undefined
  const hex = BigInt(digits).toString(16).padStart(32, '0')
  return SlideId.safeParse(dashed(hex)).data
}

/** A UID that stays the same for a slide: a UUID of version 8 out of SHA-256 over its id and the role. @see RFC 9562 section 5.8 */
export function derivedUid(slideId: SlideId, role: UidRole): string {
  const bytes = createHash('sha256').update(`${slideId}/${role}`).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return uidOfUuid(bytes.toString('hex'))
}

const dashed = (hex: string): string => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
