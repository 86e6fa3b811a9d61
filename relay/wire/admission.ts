/** What a grant reserves on the links between facilities, and what is offered where a link has not enough. */
import { z } from 'zod'
import { RelayFault } from './fault.ts'
import { OVERVIEW } from './ids.ts'
import { LinkName } from './link.ts'
import { middlePosition } from './pyramid.ts'
import type { RenditionId } from './ids.ts'
import type { Pyramid } from './pyramid.ts'
import type { Role } from './signaling/protocol.ts'

/** What media are sent as, the most needed first: the whole image small, and everything finer than that. */
export const MEDIA_LEVELS = ['overview', 'native'] as const
export const MediaLevel = z.enum(MEDIA_LEVELS)
export type MediaLevel = z.infer<typeof MediaLevel>

/** One level, and what is reserved for it: bits per second of IP packets. */
export const ReservedMedia = z.strictObject({ level: MediaLevel, bitsPerSecond: z.int().min(100_000).max(10_000_000_000) })
export type ReservedMedia = z.infer<typeof ReservedMedia>

/** Levels, the most needed first: without the overview nothing else is of use. None: slides and voice only. */
export const MediaLevels = z
  .array(ReservedMedia)
  .max(MEDIA_LEVELS.length)
  .refine(levels => levels.every(({ level }, index) => level === MEDIA_LEVELS[index]), 'expected overview, then native')
export type MediaLevels = z.infer<typeof MediaLevels>

/** What a grant may make flow over a link. */
export const GrantedMedia = z.strictObject({ link: LinkName, levels: MediaLevels })
export type GrantedMedia = z.infer<typeof GrantedMedia>

/** What is asked for where nobody says: a viewport of 4K beside the overview; of a microscope an image of 8K that somebody watches everywhere. */
export const USUAL_MEDIA: Readonly<Record<Role, MediaLevels>> = {
  viewer: [{ level: 'overview', bitsPerSecond: 6_000_000 }, { level: 'native', bitsPerSecond: 44_000_000 }],
  technician: [{ level: 'overview', bitsPerSecond: 6_000_000 }, { level: 'native', bitsPerSecond: 44_000_000 }],
  microscope: [{ level: 'overview', bitsPerSecond: 6_000_000 }, { level: 'native', bitsPerSecond: 94_000_000 }],
  scanner: [],
}

/** Which level a rendition is of. */
export const levelOf = (id: RenditionId): MediaLevel => (id === OVERVIEW ? 'overview' : 'native')

/** Headers and repair on top of what an encoder puts out. */
const WIRE_OVERHEAD = 1.08
const LEAST_BITS_PER_SECOND = 100_000

/** What a microscope needs that publishes this, with every part of the image watched by somebody. Middle tiles take the place of others. */
export function levelsOfPyramid({ renditions }: Pick<Pyramid, 'renditions'>): MediaLevels {
  const rateOf = (ids: (id: RenditionId) => boolean): number => Math.ceil(renditions.filter(({ id }) => ids(id)).reduce((sum, { bitsPerSecond }) => sum + bitsPerSecond, 0) * WIRE_OVERHEAD)
  const [overview, native] = [rateOf(id => levelOf(id) === 'overview'), rateOf(id => levelOf(id) === 'native' && middlePosition(id) === undefined)]
  return [{ level: 'overview', bitsPerSecond: Math.max(LEAST_BITS_PER_SECOND, overview) }, ...(native === 0 ? [] : [{ level: 'native' as const, bitsPerSecond: Math.max(LEAST_BITS_PER_SECOND, native) }])]
}

/** What levels take together, in bits per second. */
export const rateOfLevels = (levels: MediaLevels): number => levels.reduce((sum, { bitsPerSecond }) => sum + bitsPerSecond, 0)

/** What would fit instead. Asked for with `levels` or `link` of the next request. */
export const AdmissionOffer = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('fewer_levels'), levels: MediaLevels }),
  z.strictObject({ kind: z.literal('other_link'), link: LinkName }),
  /** Milliseconds since the epoch: by then enough has ended, if nobody else comes. */
  z.strictObject({ kind: z.literal('later'), atMillis: z.number() }),
])
export type AdmissionOffer = z.infer<typeof AdmissionOffer>

/** Why a link cannot carry what was asked. */
export const AdmissionShortage = z.strictObject({
  link: LinkName,
  /** In bits per second. */
  shortageBitsPerSecond: z.number().min(0),
  offers: z.array(AdmissionOffer).max(8),
})
export type AdmissionShortage = z.infer<typeof AdmissionShortage>

const inMegabits = (bitsPerSecond: number): string => `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`

function offerText(offer: AdmissionOffer): string {
  switch (offer.kind) {
    case 'fewer_levels':
      return `${offer.levels.map(({ level }) => level).join(' and ')} alone, ${inMegabits(rateOfLevels(offer.levels))}`
    case 'other_link':
      return `link ${offer.link}`
    case 'later':
      return `from ${new Date(offer.atMillis).toISOString()}`
    default:
      return offer satisfies never
  }
}

/** One sentence for whoever asked: names of links are the registry's, the rest is ours. */
export function admissionText({ link, shortageBitsPerSecond, offers }: AdmissionShortage): string {
  const wouldFit = offers.length === 0 ? 'nothing smaller fits' : `would fit: ${offers.map(offerText).join('; or ')}`
  return `link ${link} lacks ${inMegabits(shortageBitsPerSecond)}; ${wouldFit}`
}

/** A link cannot carry what was asked for beside what it has promised. */
export class AdmissionRefusal extends RelayFault {
  readonly shortage: AdmissionShortage

  constructor(shortage: AdmissionShortage) {
    super('admission_refused', admissionText(shortage))
    this.shortage = shortage
  }
}
