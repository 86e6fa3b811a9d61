import { z } from 'zod'
import { MemberId } from '../../../relay/wire/ids.ts'
import { ANNOTATION_LIMITS } from '../../../relay/wire/slide-annotations.ts'
import type { Annotation, SlideAnnotations } from '../../../relay/wire/slide-annotations.ts'
import { MemberColour } from '../../../relay/wire/slide-sharing.ts'

/** A position on the slide, in micrometres. @see RFC 7946 section 3.1.1 */
export type Position = [number, number]

/** What a person can put on a slide. */
export const ANNOTATION_KINDS = ['point', 'rectangle', 'polygon', 'freehand', 'text'] as const
export type AnnotationKind = (typeof ANNOTATION_KINDS)[number]

/** Characters of a text that is written here. */
export const MAX_TEXT = 500

/** What this viewer writes into an annotation's properties. Others may write what they like: what is missing or wrong is shown as nobody's. */
const Properties = z.object({
  kind: z.enum(ANNOTATION_KINDS).optional().catch(undefined),
  author: MemberId.optional().catch(undefined),
  colour: MemberColour.catch(7),
  text: z.string().optional().catch(undefined),
})
export type AnnotationProperties = z.infer<typeof Properties>

/** What is said of an annotation, whoever wrote it. */
export const propertiesOf = ({ properties }: Annotation): AnnotationProperties => Properties.parse(properties)

/** A closed ring of the corners between two. */
export const rectangleRing = ([left, top]: Position, [right, bottom]: Position): Position[] => [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]

/** A ring of points; the last is the first. */
export const closedRing = (points: readonly Position[]): Position[] => [...points, ...points.slice(0, 1)]

/** Before anything was read: matches nothing. */
const NOTHING_STORED = '"none"'

type Change = { readonly kind: 'add'; readonly annotation: Annotation } | { readonly kind: 'remove'; readonly id: string }

function applied(features: readonly Annotation[], change: Change): readonly Annotation[] {
  const others = features.filter(({ id }) => id !== (change.kind === 'add' ? change.annotation.id : change.id))
  return change.kind === 'add' ? [...others, change.annotation] : others
}

/**
 * The annotations of one slide: what is stored, and what this member changed since. Changes are applied to whatever
 * the store has by then, so two who draw at once lose nothing. Does no I/O.
 */
export class AnnotationBook {
  #stored: readonly Annotation[] = []
  /** Entity tag of what is stored. */
  #version = NOTHING_STORED
  /** Not stored yet, oldest first. */
  #pending: readonly Change[] = []
  /** What takes back this member's changes, the latest last. */
  readonly #undo: Change[] = []

  /** As it is to be seen. */
  get features(): readonly Annotation[] {
    return this.#pending.reduce(applied, this.#stored)
  }

  get canUndo(): boolean {
    return this.#undo.length > 0
  }

  /** Whether something is not stored yet. */
  get isDirty(): boolean {
    return this.#pending.length > 0
  }

  add(annotation: Annotation): void {
    if (this.features.length >= ANNOTATION_LIMITS.features) return
    this.#pending = [...this.#pending, { kind: 'add', annotation }]
    this.#undo.push({ kind: 'remove', id: annotation.id })
  }

  remove(id: string): void {
    const annotation = this.features.find(feature => feature.id === id)
    if (annotation === undefined) return
    this.#pending = [...this.#pending, { kind: 'remove', id }]
    this.#undo.push({ kind: 'add', annotation })
  }

  /** Takes back this member's latest change; nothing when there is none. */
  undo(): void {
    const change = this.#undo.pop()
    if (change !== undefined) this.#pending = [...this.#pending, change]
  }

  /** What the store has. @param version - Its entity tag. */
  loaded(document: SlideAnnotations, version: string): void {
    this.#stored = document.features
    this.#version = version
  }

  /** What to store now, on top of which version. `settle` is called with the version that came of it. */
  toStore(): { readonly document: SlideAnnotations; readonly version: string; readonly settle: (version: string) => void } {
    const [features, pending] = [this.features, this.#pending]
    return {
      document: { type: 'FeatureCollection', features: [...features] },
      version: this.#version,
      settle: version => {
        this.#stored = features
        this.#version = version
        this.#pending = this.#pending.slice(pending.length)
      },
    }
  }
}
