import { randomInt, randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { DeidentifiedSlide } from '../../relay/slides/deidentify/deidentified-slide.ts'
import { openSlide } from '../../relay/slides/formats/open-slide.ts'
import { makePyramid } from '../../relay/slides/formats/pyramid-maker.ts'
import { openSigningKey } from '../../relay/slides/manifest/heads.ts'
import { SlidePreparation } from '../../relay/slides/manifest/slide-preparation.ts'
import { LocalTransfer } from '../../relay/slides/transfer/local-transfer.ts'
import { SlideSender } from '../../relay/slides/transfer/slide-sender.ts'
import { SlideId } from '../../relay/wire/ids.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { SlideReceiver, SlideSource } from '../../relay/slides/transfer/slide-receiver.ts'

const PSEUDONYM_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'

/** What an import stands on. */
export interface SlideImportOptions {
  readonly receiver: SlideReceiver
  /** For levels that are made. What an import leaves there is deleted. */
  readonly directory: string
  readonly clock: Clock
  /** Otherwise made at random. */
  readonly slideId?: SlideId | undefined
}

/**
 * Makes a slide of a file, or a directory of DICOM instances, that came with its names: takes them out, prepares it, and puts it into the node's own store.
 * The heads are signed by a key that nobody keeps: they prove that nothing changed since the import.
 *
 * @throws {RelayFault} `bad_slide`, `unsupported_slide`, `identity_refused`, `quota_exceeded`, `storage_full`; then nothing of the slide stays. The signal's reason.
 */
export async function importSlide(path: string, source: SlideSource, { receiver, directory, clock, slideId = SlideId.parse(randomUUID()) }: SlideImportOptions, signal: AbortSignal): Promise<SlideId> {
  const made = join(directory, slideId)
  await using scope = new AsyncDisposableStack()
  await mkdir(made, { recursive: true, mode: 0o700 })
  scope.defer(() => rm(made, { recursive: true, force: true }))
  const reader = scope.use(await makePyramid(await openSlide(path), { directory: made, signal }))
  const clean = await DeidentifiedSlide.open(reader, { slideId, pseudonym: randomPseudonym() })
  const key = await openSigningKey(await exportJWK((await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })).privateKey))
  const slide = new SlidePreparation({ structure: clean.structure, tiles: clean, key })
  const local = new LocalTransfer(receiver, source)
  try {
    await new SlideSender({ slide, door: local, carrier: local, clock }).run(signal)
  } catch (error) {
    await receiver.delete(source, slideId).catch(() => undefined)
    throw error
  }
  return slideId
}

/** The file's name is not known here, and its case number is nobody's to read: no pseudonym of the facility's can be made. */
const randomPseudonym = (): string => Array.from({ length: 12 }, () => PSEUDONYM_ALPHABET[randomInt(PSEUDONYM_ALPHABET.length)] ?? '').join('')
