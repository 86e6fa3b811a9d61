import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'
import { DicomItems } from '../dicomweb/dicom-encoding.ts'
import { RelayFault } from '../../wire/fault.ts'
import { dicomFile } from '../../../bench/slides/dicom-file.ts'
import { fuzzSlides } from '../../../bench/slides/fuzz-slides.ts'
import { openDicomSlide } from './dicom-slide.ts'
import type { Test } from 'tap'
import type { DicomDataSet } from '../dicomweb/dicom-encoding.ts'
import type { DicomFileOptions } from '../../../bench/slides/dicom-file.ts'

const FRAMES = [Buffer.from('the first frame.'), Buffer.from('a second frame, which is longer.')]

async function directoryWith(t: Test, files: Readonly<Record<string, Buffer>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'dicom-'))
  t.teardown(() => rm(directory, { recursive: true }))
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(directory, name), bytes)
  return directory
}

const atPosition = (column: number, row: number): DicomDataSet => ({ PlanePositionSlideSequence: DicomItems.of({ ColumnPositionInTotalImagePixelMatrix: column, RowPositionInTotalImagePixelMatrix: row }) })
const sparse = (...positions: DicomDataSet[]): DicomDataSet => ({ DimensionOrganizationType: 'TILED_SPARSE', PerFrameFunctionalGroupsSequence: DicomItems.of(...positions) })

t.test('frames are found by either offset table, without one, and in several fragments', async t => {
  const ways: readonly Partial<DicomFileOptions>[] = [{ table: 'none' }, { table: 'basic' }, { table: 'extended' }, { table: 'basic', fragments: 3 }, { table: 'extended', fragments: 2 }]
  for (const way of ways) {
    await using slide = await openDicomSlide(await directoryWith(t, { 'a.dcm': dicomFile({ frames: FRAMES, ...way }) }))
    t.same([await slide.readTile(0, 0, 0), await slide.readTile(0, 1, 0)], FRAMES, JSON.stringify(way))
    await t.rejects(slide.readTile(0, 2, 0), { code: 'out_of_range' })
    await t.rejects(slide.readTile(1, 0, 0), { code: 'out_of_range' })
  }
})

t.test('scale, objective, colour and what is withheld are told', async t => {
  await using slide = await openDicomSlide(await directoryWith(t, { 'a.dcm': dicomFile({ frames: FRAMES }) }))
  t.same(slide.micronsPerPixel, { x: 0.25, y: 0.5 })
  t.equal(slide.objectivePower, 20)
  t.match(slide.levels, [{ width: 100, height: 60, tileWidth: 64, encoding: { compression: 'jpeg', photometric: 'rgb' } }])
  t.same(slide.withheld, ['(0008,0018) SOPInstanceUID', '(0010,0010) PatientName', '(0010,0020) PatientID', '(0020,000D) StudyInstanceUID', '(0020,000E) SeriesInstanceUID'])
})

t.test('tiles that a sparse level does not have are empty', async t => {
  const dataSet = sparse(atPosition(65, 1))
  await using slide = await openDicomSlide(await directoryWith(t, { 'a.dcm': dicomFile({ frames: FRAMES.slice(1), dataSet }) }))
  t.same([await slide.readTile(0, 0, 0), await slide.readTile(0, 1, 0)], [Buffer.alloc(0), FRAMES[1]])
})

t.test('frames that say more than is read at once are found, and what stands after them', async t => {
  const [columns, rows] = [200, 100]
  const positions = Array.from({ length: columns * rows }, (_, frame) => atPosition(1 + 64 * (columns - 1 - (frame % columns)), 1 + 64 * Math.floor(frame / columns)))
  const frames = positions.map((_, frame) => Buffer.from(String(frame).padStart(6)))
  const dataSet = { ...sparse(...positions), TotalPixelMatrixColumns: 64 * columns, TotalPixelMatrixRows: 64 * rows }
  for (const table of ['extended', 'basic', 'none'] as const) {
    await using slide = await openDicomSlide(await directoryWith(t, { 'a.dcm': dicomFile({ frames, dataSet, table }) }))
    for (const [column, row] of [[0, 0], [199, 0], [17, 42], [199, 99]] as const) t.equal(Number(await slide.readTile(0, column, row)), row * columns + columns - 1 - column, `${table} ${column} ${row}`)
  }
})

t.test('JPEG 2000 is handed on as it is', async t => {
  await using slide = await openDicomSlide(await directoryWith(t, { 'a.dcm': dicomFile({ frames: FRAMES, transferSyntax: '1.2.840.10008.1.2.4.91', dataSet: { PhotometricInterpretation: 'YBR_ICT' } }) }))
  t.match(slide.levels, [{ encoding: { compression: 'jpeg2000', photometric: 'rgb' } }])
})

t.test('a file stands for its series; label, overview and thumbnail are no levels', async t => {
  const flavour = (name: string): Buffer => dicomFile({ frames: FRAMES.slice(1), dataSet: { ImageType: ['ORIGINAL', 'PRIMARY', name, 'NONE'] } })
  const directory = await directoryWith(t, {
    'a.dcm': dicomFile({ frames: FRAMES }),
    'b.dcm': dicomFile({ frames: FRAMES.slice(1), dataSet: { TotalPixelMatrixColumns: 50, TotalPixelMatrixRows: 30 } }),
    'c.dcm': flavour('LABEL'),
    'd.dcm': flavour('OVERVIEW'),
    'e.dcm': flavour('THUMBNAIL'),
    'f.dcm': dicomFile({ frames: FRAMES, dataSet: { SeriesInstanceUID: '9.9' } }),
    'g.dcm': dicomFile({ frames: FRAMES, sopClass: '1.2.840.10008.5.1.4.1.1.2' }),
    'readme.txt': Buffer.from('not DICOM'),
  })
  await using slide = await openDicomSlide(join(directory, 'b.dcm'))
  t.same(slide.levels.map(({ width }) => width), [100, 50])
  t.same(slide.associated.map(({ name }) => name), ['label', 'overview', 'thumbnail'])
  await t.rejects(openDicomSlide(directory), { code: 'unsupported_slide' }, 'of two series none is the slide')
  await t.rejects(openDicomSlide(join(directory, 'readme.txt')), { code: 'unsupported_slide' })
})

t.test('what is not read is refused as unsupported', async t => {
  const cases: Readonly<Record<string, Partial<DicomFileOptions>>> = {
    'explicit little endian pixels': { transferSyntax: '1.2.840.10008.1.2.1' },
    'implicit VR': { transferSyntax: '1.2.840.10008.1.2' },
    'JPEG lossless': { transferSyntax: '1.2.840.10008.1.2.4.70' },
    'palette colour': { dataSet: { PhotometricInterpretation: 'PALETTE COLOR' } },
    '16 bits': { dataSet: { BitsAllocated: 16 } },
    'several optical paths': { dataSet: { NumberOfOpticalPaths: 2 } },
    'several focal planes': { dataSet: { TotalPixelMatrixFocalPlanes: 3 } },
    'a concatenation': { dataSet: { ConcatenationUID: '1.2' } },
    'tiles off the grid': { dataSet: sparse(atPosition(1, 1), atPosition(33, 1)) },
    'two frames for one tile': { dataSet: sparse(atPosition(1, 1), atPosition(1, 1)) },
  }
  for (const [name, options] of Object.entries(cases)) await t.rejects(openDicomSlide(await directoryWith(t, { 'a.dcm': dicomFile({ frames: FRAMES, ...options }) })), { code: 'unsupported_slide' }, name)
})

t.test('what lies is refused as bad', async t => {
  const cases: Readonly<Record<string, DicomDataSet>> = {
    'no width': { TotalPixelMatrixColumns: 0 },
    'a billion tiles': { TotalPixelMatrixColumns: 2 ** 24, TotalPixelMatrixRows: 2 ** 24 },
    'more columns than can be': { TotalPixelMatrixColumns: 2 ** 31 },
    'another number of frames than tiles': { NumberOfFrames: 3 },
    'no number of frames': { NumberOfFrames: '-1' },
    'more frames than bytes': { NumberOfFrames: 2 ** 22, TotalPixelMatrixColumns: 64 * 2 ** 11, TotalPixelMatrixRows: 64 * 2 ** 11 },
    'a tile of no size': { Columns: 0 },
    'a tile outside': sparse(atPosition(1, 1), atPosition(129, 1)),
    'a tile before the first': sparse(atPosition(1, 1), atPosition(-63, 1)),
    'fewer positions than frames': sparse(atPosition(1, 1)),
    'no positions': { DimensionOrganizationType: undefined },
  }
  for (const [name, dataSet] of Object.entries(cases)) await t.rejects(openDicomSlide(await directoryWith(t, { 'a.dcm': dicomFile({ frames: FRAMES, dataSet }) })), { code: 'bad_slide' }, name)
})

t.test('a file cut off anywhere is refused when it is opened, or when the tile is read', async t => {
  const whole = dicomFile({ frames: FRAMES, table: 'basic' })
  const directory = await directoryWith(t, {})
  for (let length = 140; length < whole.length - 8; length += 7) {
    await writeFile(join(directory, 'a.dcm'), whole.subarray(0, length))
    await t.rejects(readAll(directory), RelayFault, `${length} bytes`)
  }
})

t.test('sequences nested without end are refused', async t => {
  let nested: DicomDataSet = {}
  for (let depth = 0; depth < 60; depth++) nested = { SharedFunctionalGroupsSequence: DicomItems.of(nested) }
  await t.rejects(openDicomSlide(await directoryWith(t, { 'a.dcm': dicomFile({ frames: FRAMES, dataSet: nested }) })), { code: 'bad_slide' })
})

t.test('broken headers are read or refused with a code', async t => {
  const { opened, refused, firstBug } = await fuzzSlides(3000, 7, 'dicom')
  t.equal(firstBug, undefined)
  const codes = [...refused.keys()].filter(code => !['bad_slide', 'unsupported_slide'].includes(code))
  t.same(codes, [])
  t.ok(opened > 100 && (refused.get('bad_slide') ?? 0) > 500, `${opened} opened, ${JSON.stringify([...refused])}`)
})

async function readAll(directory: string): Promise<void> {
  await using slide = await openDicomSlide(directory)
  for (let column = 0; column < 2; column++) await slide.readTile(0, column, 0)
}
