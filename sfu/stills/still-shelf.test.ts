import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'tap'
import { RelayFault } from '../../relay/wire/fault.ts'
import { ConsultationId, MemberId, PublicationId, Sha256, StillId } from '../../relay/wire/ids.ts'
import { STILL_FILES, StillShelf, stillRoomBytes, surveyShelves } from './still-shelf.ts'
import type { StillSidecar } from '../../relay/wire/still.ts'
import type { Test } from 'tap'

const IMAGE = { width: 64, height: 32 } as const
const planes = Buffer.alloc((64 * 32 * 3) / 2, 77)
const expected = { byteLength: planes.length, sha256: Sha256.parse(createHash('sha256').update(planes).digest('hex')) }
const newId = (): StillId => StillId.parse(randomUUID())

async function* inPieces(bytes: Buffer, size = 1000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const sidecarOf = (stillId: StillId): StillSidecar => ({
  version: 1, stillId, consultationId: ConsultationId.parse('case-1'), publicationId: PublicationId.parse(randomUUID()), rtpTimestamp: 5, keptBy: MemberId.parse('reader'),
  keptAt: '2026-01-02T03:04:05.678Z', origin: 'exact', missing: [],
  image: { ...IMAGE, format: 'I420', bitDepth: 8, matrix: 'BT.709', range: 'limited' },
  planes: expected, png: 'BT.709 limited range to 8-bit RGB full range, each chroma sample for its 2x2 pixels', stage: null, annotations: null,
})

function open(t: Test) {
  const room = { used: 0 }
  const directory = join(t.testdir(), 'consultations', 'case-1', 'stills')
  const shelf = new StillShelf(directory, { take: bytes => void (room.used += bytes), giveBack: bytes => void (room.used -= bytes) })
  return { shelf, room, directory }
}

t.test('a still is there once it is kept, with the planes as they came', async t => {
  const { shelf, room } = open(t)
  const stillId = newId()
  await shelf.receive(stillId, inPieces(planes), expected)
  t.same(await shelf.list(), [], 'planes alone are none')
  await t.rejects(shelf.sidecar(stillId), { code: 'not_found' })
  const sidecar = sidecarOf(stillId)
  await shelf.keep(sidecar)
  t.same(await shelf.list(), [sidecar])
  t.ok((await readFile(shelf.path(stillId, 'planes'))).equals(planes))
  t.equal(room.used, stillRoomBytes(IMAGE))
})

t.test('what does not come as it was announced leaves nothing', async t => {
  const { shelf, room, directory } = open(t)
  async function* broken(): AsyncGenerator<Buffer> {
    yield planes.subarray(0, 100)
    throw new RelayFault('unavailable', 'cut off')
  }
  await t.rejects(shelf.receive(newId(), inPieces(planes), { ...expected, sha256: Sha256.parse('0'.repeat(64)) }), { code: 'hash_mismatch' })
  await t.rejects(shelf.receive(newId(), inPieces(planes.subarray(1)), expected), { code: 'bad_message' })
  await t.rejects(shelf.receive(newId(), inPieces(Buffer.concat([planes, planes])), expected), { code: 'bad_message' })
  await t.rejects(shelf.receive(newId(), broken(), expected), { code: 'unavailable' })
  t.same(await readdir(directory), [])
  t.equal(room.used, 0)
})

t.test('a full disk has its code and leaves nothing', async t => {
  const { shelf, room, directory } = open(t)
  const stillId = newId()
  await mkdir(join(directory, stillId), { recursive: true })
  await symlink('/dev/full', join(directory, stillId, 'planes.part'))
  await t.rejects(shelf.receive(stillId, inPieces(planes), expected), { code: 'storage_full' })
  t.same(await readdir(directory), [])
  t.equal(room.used, 0)
})

t.test('a quota that is used up refuses before anything is written', async t => {
  const directory = join(t.testdir(), 'stills')
  const shelf = new StillShelf(directory, {
    take: () => {
      throw new RelayFault('quota_exceeded', 'full')
    },
    giveBack: () => t.fail('nothing was taken'),
  })
  await t.rejects(shelf.receive(newId(), inPieces(planes), expected), { code: 'quota_exceeded' })
  t.same(await shelf.list(), [])
})

t.test('a process that begins takes away what another left half done, and counts the rest', async t => {
  const { shelf, directory } = open(t)
  const [kept, half] = [newId(), newId()]
  await shelf.receive(kept, inPieces(planes), expected)
  await shelf.keep(sidecarOf(kept))
  await shelf.receive(half, inPieces(planes), expected)
  await writeFile(join(directory, half, `${STILL_FILES.sidecar}.part`), '{')
  t.equal(await surveyShelves(join(directory, '../..')), 2 * planes.length)
  t.same(await readdir(directory), [kept])
  t.equal(await surveyShelves(join(directory, 'nowhere')), 0)
})

t.test('what a disk lost of one still, or somebody laid beside it, costs no other, and no node its start', async t => {
  const { shelf, directory } = open(t)
  const [whole, damaged, gone] = [newId(), newId(), newId()]
  for (const id of [whole, damaged, gone]) {
    await shelf.receive(id, inPieces(planes), expected)
    await shelf.keep(sidecarOf(id))
  }
  await writeFile(shelf.path(damaged, 'sidecar'), '{"version":')
  await rm(shelf.path(gone, 'planes'))
  await writeFile(join(directory, '../../notes.txt'), '')
  t.equal(await surveyShelves(join(directory, '../..')), 2 * 2 * planes.length)
  t.same((await shelf.list()).map(({ stillId }) => stillId).sort(), [whole, gone].sort())
  await t.rejects(shelf.sidecar(damaged), { code: 'not_found' })
})
