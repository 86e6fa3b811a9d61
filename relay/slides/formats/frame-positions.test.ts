import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'
import { delimiter, DicomItems, elementHeader, encodeDataSet, ITEM, SEQUENCE_END } from '../dicomweb/dicom-encoding.ts'
import { blankItem } from '../dicomweb/patient-attributes.ts'
import { BytesMissing } from './dicom-data-set.ts'
import { tagOf } from './dicom-dictionary.ts'
import { FramePositions } from './frame-positions.ts'
import { walkSequence } from './sequence-windows.ts'
import type { FileHandle } from 'node:fs/promises'
import type { Test } from 'tap'

const UNDEFINED = 0xffff_ffff
const item = (value: Buffer): Buffer => Buffer.concat([delimiter(ITEM, value.length), value])
const position = (column: number, row: number): Buffer => Buffer.concat([...encodeDataSet({ ColumnPositionInTotalImagePixelMatrix: column, RowPositionInTotalImagePixelMatrix: row })])
const openEnded = (column: number, row: number): Buffer => {
  const value = encodeDataSet({ FrameContentSequence: DicomItems.of({ AcquisitionDateTime: '20240531' }), PlanePositionSlideSequence: DicomItems.of({ ColumnPositionInTotalImagePixelMatrix: column, RowPositionInTotalImagePixelMatrix: row }) })
  return Buffer.concat([delimiter(ITEM, UNDEFINED), ...value, delimiter(0xfffe_e00d, 0)])
}
const measured = (column: number, row: number): Buffer => {
  const value = item(position(column, row))
  return item(Buffer.concat([elementHeader(tagOf('PlanePositionSlideSequence'), 'SQ', value.length), value]))
}
const taken = (bytes: Buffer): FramePositions => {
  const positions = new FramePositions()
  const end = positions.take(bytes, 8, bytes.readUInt32LE(4))
  if (end !== bytes.length) throw new Error(`ended at ${end} of ${bytes.length}`)
  return positions
}

async function fileWith(t: Test, bytes: Buffer): Promise<FileHandle> {
  const directory = await mkdtemp(join(tmpdir(), 'sequence-'))
  const path = join(directory, 'file')
  await writeFile(path, bytes)
  const handle = await open(path, 'r+')
  t.teardown(async () => {
    await handle.close()
    await rm(directory, { recursive: true })
  })
  return handle
}

t.test('a position is found in sequences of a given length, of none, and of unknown representation', t => {
  const unknown = item(Buffer.concat([Buffer.from([0x48, 0, 0x1a, 2]), Buffer.from('UN\0\0'), delimiter(0, UNDEFINED).subarray(4), delimiter(ITEM, 0), delimiter(SEQUENCE_END, 0)]))
  for (const [name, bytes, expected] of [['open', openEnded(257, 513), [257, 513]], ['measured', measured(1, 4097), [1, 4097]], ['unknown', unknown, [0, 0]]] as const) {
    const positions = taken(bytes)
    t.same([positions.count, positions.column(0), positions.row(0)], [1, ...expected], name)
  }
  t.end()
})

t.test('only the first item of the plane position counts, and no position elsewhere', t => {
  const two = Buffer.concat([item(position(1, 1)), item(position(9, 9))])
  const elsewhere = Buffer.concat([...encodeDataSet({ FrameContentSequence: DicomItems.of({ ColumnPositionInTotalImagePixelMatrix: 7, RowPositionInTotalImagePixelMatrix: 7 }) })])
  const positions = taken(item(Buffer.concat([elsewhere, elementHeader(tagOf('PlanePositionSlideSequence'), 'SQ', two.length), two])))
  t.same([positions.column(0), positions.row(0)], [1, 1])
  t.end()
})

t.test('an item that is not all there is asked for again, and taken once', t => {
  const bytes = openEnded(257, 513)
  const positions = new FramePositions()
  for (let length = 8; length < bytes.length; length++) t.throws(() => positions.take(bytes.subarray(0, length), 8, UNDEFINED), BytesMissing)
  t.equal(positions.count, 0)
  positions.take(bytes, 8, UNDEFINED)
  t.equal(positions.count, 1)
  t.end()
})

t.test('a sequence longer than a window is walked to what stands after it', async t => {
  const items = Array.from({ length: 20_000 }, (_, frame) => (frame % 2 === 0 ? openEnded : measured)(frame + 1, 1))
  const value = Buffer.concat(items)
  for (const [length, tail] of [[value.length, Buffer.alloc(0)], [UNDEFINED, delimiter(SEQUENCE_END, 0)]] as const) {
    const bytes = Buffer.concat([Buffer.alloc(100), value, tail, Buffer.alloc(50)])
    const positions = new FramePositions()
    const end = await walkSequence(await fileWith(t, bytes), bytes.length, { at: 100, length }, positions.take.bind(positions))
    t.equal(end, bytes.length - 50)
    t.equal(positions.count, items.length)
    t.ok(items.every((_, frame) => positions.column(frame) === frame + 1))
  }
})

t.test('what is changed in a window is written where it stands, and nothing else is', async t => {
  const value = Buffer.concat(Array.from({ length: 20_000 }, () => openEnded(1, 1)))
  const bytes = Buffer.concat([Buffer.from('before'), value, delimiter(SEQUENCE_END, 0), Buffer.from('after')])
  const handle = await fileWith(t, bytes)
  const items = new FramePositions()
  await walkSequence(handle, bytes.length, { at: 6, length: UNDEFINED }, (window, at, length) => {
    const end = items.take(window, at, length)
    blankItem(window, { start: at, end: end - 8, isImplicit: false })
    return end
  }, () => true)
  const expected = Buffer.from(bytes.toString('latin1').replaceAll('20240531', ' '.repeat(8)), 'latin1')
  const found = Buffer.alloc(bytes.length)
  await handle.read(found, 0, found.length, 0)
  t.ok(found.equals(expected))
  t.notOk(found.equals(bytes))
})

t.test('a sequence that lies about its end is refused', async t => {
  const whole = openEnded(1, 1)
  const cases: readonly [string, Buffer, number][] = [
    ['no end', whole, UNDEFINED],
    ['longer than the file', whole, whole.length + 1],
    ['cut off within an item', whole.subarray(0, 20), 20],
    ['no item', Buffer.alloc(64), 64],
    ['nested without end', Buffer.concat(Array.from({ length: 40 }, () => Buffer.concat([delimiter(ITEM, UNDEFINED), elementHeader(tagOf('PlanePositionSlideSequence'), 'SQ', UNDEFINED)]))), UNDEFINED],
    ['pixels within', Buffer.concat([delimiter(ITEM, UNDEFINED), elementHeader(tagOf('PixelData'), 'OB', UNDEFINED)]), UNDEFINED],
    ['an item of five megabytes', Buffer.concat([delimiter(ITEM, 5e6), Buffer.alloc(5e6)]), UNDEFINED],
  ]
  for (const [name, bytes, length] of cases) {
    const positions = new FramePositions()
    await t.rejects(walkSequence(await fileWith(t, bytes), bytes.length, { at: 0, length }, positions.take.bind(positions)), { code: 'bad_slide' }, name)
  }
})
