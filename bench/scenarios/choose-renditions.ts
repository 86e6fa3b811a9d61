import { OVERVIEW } from '../../relay/wire/ids.ts'
import { tilePosition } from '../../relay/wire/pyramid.ts'
import type { RecordingManifest } from '../../clients/capture/recording.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'

/** The overview, and as many tiles as come closest to the rate. */
export function chooseRenditions({ pyramid, frameCount, renditions }: RecordingManifest, bitsPerSecond: number): { readonly ids: RenditionId[]; readonly bitsPerSecond: number } {
  const rateOf = ({ byteLength }: { byteLength: number }): number => (8 * byteLength * pyramid.framesPerSecond) / frameCount
  const overview = renditions.filter(({ id }) => id === OVERVIEW)
  const ids: RenditionId[] = []
  let sum = 0
  for (const rendition of [...overview, ...renditions.filter(({ id }) => tilePosition(id) !== undefined)]) {
    if (sum + rateOf(rendition) / 2 > bitsPerSecond) break
    ids.push(rendition.id)
    sum += rateOf(rendition)
  }
  return { ids, bitsPerSecond: sum }
}
