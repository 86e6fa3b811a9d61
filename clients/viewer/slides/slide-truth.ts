import type { SlideHeadVerdict } from './slide-head-check.ts'

/** What is known of one tile that should be on the screen. */
export type TileState =
  /** Drawn; its proof leads to the signed root of its level. */
  | 'proven'
  /** Drawn; its proof leads to the signed head of its square, and its level is still being read. */
  | 'early'
  /** Drawn; this browser cannot check signatures. */
  | 'unproven'
  /** Its proof failed: not drawn. */
  | 'refused'
  /** The node does not have it yet. */
  | 'missing'
  /** Under way. */
  | 'loading'

/** What the badge of a slide says, from the worst to the best; the worst tile decides. `forged`: the slide's own head is not its scanner's, whatever its tiles prove. */
export type SlideTruthKind = 'none' | 'forged' | 'refused' | 'missing' | 'loading' | 'unverified' | 'early' | 'recompressed' | 'exact'

/** What is true of the visible part of a slide. */
export interface SlideTruth {
  readonly kind: SlideTruthKind
  /** That it is shown from. */
  readonly level: number
  /** Device pixels per pixel of that level. */
  readonly zoom: number
  /** Device pixels per pixel of the coarsest level that stands in for a tile; null where none does. */
  readonly standInZoom: number | null
  /** Visible tiles by state. */
  readonly tiles: Readonly<Record<TileState, number>>
}

/** What the badge is decided from. */
export interface SlideFacts {
  readonly level: number
  readonly zoom: number
  readonly standInZoom: number | null
  /** Of every tile of the level that is visible. */
  readonly states: readonly TileState[]
  /** The level was made by us, or its file was converted: no scanner wrote these bytes. */
  readonly isRecompressed: boolean
  /** Of the slide as a whole. */
  readonly head: SlideHeadVerdict
}

function kindOf({ states, isRecompressed, head }: SlideFacts): SlideTruthKind {
  if (states.length === 0) return 'none'
  if (head === 'refused') return 'forged'
  if (states.includes('refused')) return 'refused'
  if (states.includes('missing')) return 'missing'
  if (states.includes('loading') || head === 'checking') return 'loading'
  if (states.includes('unproven')) return 'unverified'
  if (states.includes('early')) return 'early'
  return isRecompressed ? 'recompressed' : 'exact'
}

/** Decides what the badge says. */
export function tellSlideTruth(facts: SlideFacts): SlideTruth {
  const tiles = { proven: 0, early: 0, unproven: 0, refused: 0, missing: 0, loading: 0 }
  for (const state of facts.states) tiles[state]++
  const isWhole = tiles.missing + tiles.loading === 0
  return { kind: kindOf(facts), level: facts.level, zoom: facts.zoom, standInZoom: isWhole ? null : facts.standInZoom, tiles }
}

/** All that should be seen is on the screen, as fine as it should be. */
export const isSharp = ({ kind }: SlideTruth): boolean => kind === 'exact' || kind === 'recompressed' || kind === 'early' || kind === 'unverified'
