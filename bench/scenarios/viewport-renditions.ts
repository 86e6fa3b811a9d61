import { OVERVIEW } from '../../relay/wire/ids.ts'
import { tilePosition } from '../../relay/wire/pyramid.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'

/** A rectangle of the image, in image pixels. */
export interface View {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** What a viewer needs at one image pixel per device pixel: the overview, and every tile that the view touches. */
export function renditionsInView(pyramid: Pyramid, view: View): RenditionId[] {
  const tiles = pyramid.renditions.filter(({ id, region }) => {
    const isTouched =
      region.x < view.x + view.width && view.x < region.x + region.width && region.y < view.y + view.height && view.y < region.y + region.height
    return tilePosition(id) !== undefined && isTouched
  })
  return [OVERVIEW, ...tiles.map(({ id }) => id)]
}

/** A view of the given size somewhere inside the image, every place equally likely; all of the image where it is smaller. */
export function randomView(pyramid: Pyramid, size: Pick<View, 'width' | 'height'>, random: () => number): View {
  const width = Math.min(size.width, pyramid.width)
  const height = Math.min(size.height, pyramid.height)
  return {
    x: Math.floor(random() * (pyramid.width - width + 1)),
    y: Math.floor(random() * (pyramid.height - height + 1)),
    width,
    height,
  }
}

/** Numbers from 0 to 1 that are the same for the same seed. @see Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14), 2003 */
export function seededRandom(seed: number): () => number {
  let state = seed | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 0x1_0000_0000
  }
}
