import { compactVerify, importJWK } from 'jose'
import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import { HEAD_TYPES, SlideHead } from '../../../relay/wire/slide.ts'
import { canVerify, verifyLevelHead } from './level-proofs.ts'
import type { SlideIdentity } from './level-proofs.ts'

const ALGORITHM = 'EdDSA'

/** What the node has of a slide's heads. */
export interface SlideHeads {
  readonly levels: readonly { readonly level: number; readonly head: string }[]
  /** The slide's own; null before the scanner sent it. */
  readonly head: string | null
}

/**
 * What came of checking the slide's own head. `awaited`: there is none yet; `checking`; `unproven`: this browser
 * cannot check signatures, or the heads could not be had; `refused`: whatever its tiles prove, it is not the slide that was signed.
 */
export type SlideHeadVerdict = 'awaited' | 'checking' | 'proven' | 'unproven' | 'refused'

/**
 * The Merkle roots that a slide head signs, level 0 first.
 *
 * @param jws - Compact serialisation.
 * @throws {RelayFault} `signature_refused` when it is not signed by the slide's key, or is of another slide or structure.
 */
export async function verifySlideHead(jws: string, { structure, structureSha256, key }: SlideIdentity): Promise<readonly string[]> {
  let head: SlideHead
  try {
    const { payload, protectedHeader } = await compactVerify(jws, await importJWK(key, ALGORITHM), { algorithms: [ALGORITHM] })
    if (protectedHeader.typ !== HEAD_TYPES.slide) throw new TypeError('another type')
    head = SlideHead.parse(JSON.parse(new TextDecoder().decode(payload)))
  } catch (cause) {
    throw new RelayFault('signature_refused', 'a slide head is not signed by the key of its slide, or is none', { cause })
  }
  const isOfSlide = head.slideId === structure.slideId && head.structure === structureSha256 && head.roots.length === structure.levels.length
  if (!isOfSlide) throw new RelayFault('signature_refused', 'a slide head is of another slide')
  return head.roots
}

/** Checks that the slide's head signs exactly the levels whose heads the node serves. To be asked of a slide that is said to be complete. */
export async function checkSlideHead({ levels, head }: SlideHeads, identity: SlideIdentity): Promise<'proven' | 'unproven' | 'refused'> {
  if (!(await canVerify(identity.key))) return 'unproven'
  if (head === null) return 'refused'
  try {
    const roots = await verifySlideHead(head, identity)
    const served = await Promise.all(roots.map((_, level) => verifyLevelHead(levels.find(known => known.level === level)?.head ?? '', level, identity)))
    return served.every((root, level) => root === roots[level]) ? 'proven' : 'refused'
  } catch (error) {
    if (toFault(error).code !== 'signature_refused') throw error
    return 'refused'
  }
}
