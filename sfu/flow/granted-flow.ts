import { levelOf, rateOfLevels } from '../../relay/wire/admission.ts'
import { OVERVIEW, WHOLE } from '../../relay/wire/ids.ts'
import type { GrantedMedia } from '../../relay/wire/admission.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { BitsPerSecond } from '../../relay/wire/units.ts'

/** What grants let flow: to one viewer, and from the microscope. */
export interface FlowGrants {
  /** Null: whatever there is. */
  readonly viewer: GrantedMedia | null
  readonly microscope: GrantedMedia | null
}

/** What is left of a wish, and what was taken from it. */
export interface GrantedWish {
  readonly renditions: readonly RenditionId[]
  readonly prefetch: readonly RenditionId[]
  /** In view, and not let through. */
  readonly refused: readonly RenditionId[]
}

const isOf = (media: GrantedMedia | null, id: RenditionId): boolean => media === null || media.levels.some(({ level }) => level === levelOf(id))

/** The rate that was reserved, in bits per second; without bound where none was. */
export const grantedRate = (media: GrantedMedia | null): number => (media === null ? Infinity : rateOfLevels(media.levels))

/**
 * Takes from a wish what was not granted: renditions of levels that were not reserved, and what would exceed the
 * reservation with nothing else beside it. Decides without I/O.
 *
 * @param rateOf - The rate of some renditions on a line, in bits per second.
 */
export function withinGrants({ renditions, prefetch }: Omit<GrantedWish, 'refused'>, { viewer, microscope }: FlowGrants, rateOf: (ids: Iterable<RenditionId>) => BitsPerSecond): GrantedWish {
  const isGranted = (id: RenditionId): boolean => isOf(viewer, id) && isOf(microscope, id)
  const most = Math.min(grantedRate(viewer), grantedRate(microscope))
  const wished = renditions.filter(isGranted)
  // Flow control never withholds what is no tile, nor the tile that was named first beside the overview: that much has to fit.
  const fits = (ids: readonly RenditionId[]): boolean => rateOf(ids) <= most
  const whole = wished.filter(id => id === WHOLE)
  const tiles = wished.filter(id => id !== WHOLE && id !== OVERVIEW)
  const asked = wished.filter(id => id === OVERVIEW)
  const kept: RenditionId[] = []
  if (fits([OVERVIEW])) {
    kept.push(...asked)
    if (whole.length > 0 && fits([...asked, ...whole])) kept.push(...whole)
    const [first] = tiles
    if (first !== undefined && fits([...kept, OVERVIEW, first])) kept.push(...tiles)
  } else if (whole.length > 0 && asked.length === 0 && fits(whole)) kept.push(...whole)
  const left = new Set(kept)
  const hasTiles = tiles.some(id => left.has(id))
  return {
    renditions: renditions.filter(id => left.has(id)),
    prefetch: hasTiles || tiles.length === 0 ? prefetch.filter(id => isGranted(id) && fits([...kept, OVERVIEW, id])) : [],
    refused: renditions.filter(id => !left.has(id)),
  }
}
