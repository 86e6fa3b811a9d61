import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto'
import { t } from 'tap'
import { openSigningKey } from '../../../relay/slides/manifest/heads.ts'
import { SlideId } from '../../../relay/wire/ids.ts'
import { checkSlideHead } from './slide-head-check.ts'
import type { SigningKey } from '../../../relay/slides/manifest/heads.ts'
import type { Sha256 } from '../../../relay/wire/ids.ts'
import type { SlideLevel, SlideStructure } from '../../../relay/wire/slide.ts'
import type { SlideIdentity } from './level-proofs.ts'

const sha = (text: string): Sha256 => createHash('sha256').update(text).digest('hex') as Sha256
const level = (side: number): SlideLevel => ({ width: side, height: side, tileWidth: 256, tileHeight: 256, isMade: false, encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' } })
const newKey = (): Promise<SigningKey> => openSigningKey(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }))

async function scene() {
  const key = await newKey()
  const structure: SlideStructure = { version: 1, slideId: SlideId.parse(randomUUID()), format: 'tiff', pseudonym: 'TEST-0001', micronsPerPixel: null, objectivePower: null, removed: [], levels: [level(1000), level(250)] }
  const { slideId } = structure
  const identity: SlideIdentity = { structure, structureSha256: sha('structure'), key: key.publicKey }
  const signed = { slideId, structure: sha('structure') }
  const levelHead = (of: number, root: string, by = key): Promise<string> => by.signLevel({ ...signed, level: of, tiles: of === 0 ? 16 : 1, root: sha(root), index: sha('index') })
  const levels = [{ level: 1, head: await levelHead(1, 'root 1') }, { level: 0, head: await levelHead(0, 'root 0') }]
  const roots = [sha('root 0'), sha('root 1')]
  return { key, identity, signed, levelHead, levels, roots }
}

t.test('a head of the slide over the levels that are served is believed', async t => {
  const { key, identity, signed, levels, roots } = await scene()
  t.equal(await checkSlideHead({ levels, head: await key.signSlide({ ...signed, roots }) }, identity), 'proven')
})

t.test('a head that is forged, missing, of another slide or over other levels is refused', async t => {
  const { key, identity, signed, levelHead, levels, roots } = await scene()
  const check = async (head: string | null, served = levels): Promise<string> => checkSlideHead({ levels: served, head }, identity)
  const head = await key.signSlide({ ...signed, roots })
  t.equal(await check(await (await newKey()).signSlide({ ...signed, roots })), 'refused', 'another key')
  t.equal(await check(null), 'refused', 'none')
  t.equal(await check('e30.e30.e30'), 'refused', 'no signature')
  t.equal(await check(levels[1]?.head ?? ''), 'refused', 'the head of a level')
  t.equal(await check(await key.signSlide({ ...signed, slideId: SlideId.parse(randomUUID()), roots })), 'refused', 'another slide')
  t.equal(await check(await key.signSlide({ ...signed, structure: sha('other'), roots })), 'refused', 'another structure')
  t.equal(await check(await key.signSlide({ ...signed, roots: roots.slice(1) })), 'refused', 'a level less')
  t.equal(await check(await key.signSlide({ ...signed, roots: roots.toReversed() })), 'refused', 'levels in each other\'s place')
  t.equal(await check(head, levels.slice(1)), 'refused', 'a level is not served')
  t.equal(await check(head, [levels[0] ?? { level: 1, head: '' }, { level: 0, head: await levelHead(0, 'other root') }]), 'refused', 'a level that was signed, but not as this slide\'s')
})
