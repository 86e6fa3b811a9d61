import { isDeepStrictEqual } from 'node:util'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { MemberId } from '../../relay/wire/ids.ts'
import type { Annotation, SlideAnnotations } from '../../relay/wire/slide-annotations.ts'
import type { MemberColour } from '../../relay/wire/slide-sharing.ts'

/** Who stores annotations. */
export interface AnnotationAuthor {
  readonly memberId: MemberId
  /** Of the member's session; undefined while it has none. */
  readonly colour: MemberColour | undefined
}

const refuse = (): never => {
  throw new RelayFault('grant_refused', 'an annotation belongs to its author')
}

/** Whether a member may change an annotation that is stored: its own, and one that names no author. */
const isOpenTo = ({ properties }: Annotation, { memberId }: AnnotationAuthor): boolean => properties['author'] === undefined || properties['author'] === memberId

/**
 * What may be stored when a member wants `wanted` in place of `before`: what is new or changed bears that member as its
 * `author`, with the colour of its session, whatever it claimed.
 *
 * @throws {RelayFault} `grant_refused` when an annotation of somebody else was changed or left out.
 */
export function bindAuthors(before: SlideAnnotations, wanted: SlideAnnotations, author: AnnotationAuthor): SlideAnnotations {
  const stored = new Map(before.features.map(feature => [feature.id, feature]))
  const kept = new Set(wanted.features.map(({ id }) => id))
  if (before.features.some(feature => !kept.has(feature.id) && !isOpenTo(feature, author))) refuse()
  // A member that draws without a session keeps the colour it drew with before.
  const colour = author.colour ?? before.features.findLast(({ properties }) => properties['author'] === author.memberId)?.properties['colour']
  const features = wanted.features.map(feature => {
    const known = stored.get(feature.id)
    if (known !== undefined && isDeepStrictEqual(known, feature)) return known
    if (known !== undefined && !isOpenTo(known, author)) return refuse()
    const { colour: _claimed, ...properties } = feature.properties
    return { ...feature, properties: { ...properties, author: author.memberId, ...(colour === undefined ? {} : { colour }) } }
  })
  return { type: 'FeatureCollection', features }
}
