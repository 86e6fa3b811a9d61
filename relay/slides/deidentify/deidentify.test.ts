import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'tap'
import { makeSmallTiff } from '../../../bench/slides/small-tiff.ts'
import { dicomFile } from '../../../bench/slides/dicom-file.ts'
import { SlideStructure } from '../../wire/slide.ts'
import { openDicomSlide } from '../formats/dicom-slide.ts'
import { MemorySource } from '../formats/random-access-file.ts'
import { TiffSlide } from '../formats/tiff-slide.ts'
import { deidentify } from './deidentify.ts'
import { DeidentifiedSlide } from './deidentified-slide.ts'
import { decodePolicy } from './policy.ts'
import type { SlideId } from '../../wire/ids.ts'
import type { SlideReader } from '../formats/slide-reader.ts'

const NAME = 'YAMADA TARO'
const slideId = '6f1ed002-ab5c-4a5f-8a53-2f4f3b1fd4cc' as SlideId
const pseudonym = 'AAAA-BBBB-CCCC'

/** Two by one tiles with a comment in the first. */
const tile = Buffer.concat([Buffer.from('ffd8fffe000d', 'hex'), Buffer.from(NAME), Buffer.from('ffda0008010100003f00', 'hex'), Buffer.from('1234ffd9', 'hex')])

const reader = (changes: Partial<SlideReader> = {}): SlideReader => ({
  format: 'aperio',
  levels: [{ width: 500, height: 200, tileWidth: 256, tileHeight: 256, isMade: false, encoding: { compression: 'jpeg', photometric: 'rgb', tables: '' } }],
  micronsPerPixel: { x: 0.499, y: 0.25100000000000006 },
  objectivePower: 20,
  associated: [],
  withheld: [],
  readTile: (_, column) => Promise.resolve(column === 0 ? tile : Buffer.alloc(0)),
  [Symbol.asyncDispose]: () => Promise.resolve(),
  ...changes,
})

const policy = decodePolicy('{"version":1,"keep":["scan date","scanner model"],"scannerModels":["Aperio AT2"]}')

t.test('lists places with how often they were there, replaced or removed', async t => {
  const { removed, ...structure } = deidentify(
    reader({
      associated: [{ name: 'label', width: 1, height: 1 }, { name: 'macro', width: 1, height: 1 }, { name: NAME, width: 1, height: 1 }],
      withheld: ['ImageDescription: Filename', 'ImageDescription: Filename', 'Artist', 'unknown tag 65000', '(0010,0010) PatientName', '(0010,1040) PatientAddress', '(0020,000D) StudyInstanceUID', '(0008,0070) Manufacturer', 'unknown tag (0009,1001)', 'unknown tag (0010,9999)'],
    }),
    { slideId, pseudonym },
  )
  t.same(structure, { version: 1, slideId, pseudonym, format: 'aperio', levels: reader().levels, micronsPerPixel: { x: 0.499, y: 0.251 }, objectivePower: 20 })
  t.same(removed, [
    { place: '(0008,0070) Manufacturer', action: 'removed', count: 1 },
    { place: '(0010,0010) PatientName', action: 'replaced', count: 1 },
    { place: '(0010,1040) PatientAddress', action: 'removed', count: 1 },
    { place: '(0020,000D) StudyInstanceUID', action: 'replaced', count: 1 },
    { place: 'Artist', action: 'removed', count: 1 },
    { place: 'ImageDescription: Filename', action: 'removed', count: 2 },
    { place: 'file name', action: 'replaced', count: 1 },
    { place: 'label image', action: 'removed', count: 1 },
    { place: 'macro image', action: 'removed', count: 1 },
    { place: 'other image', action: 'removed', count: 1 },
    { place: 'private attribute', action: 'removed', count: 1 },
    { place: 'unknown attribute', action: 'removed', count: 1 },
    { place: 'unknown tag 65000', action: 'removed', count: 1 },
  ])
})

t.test('a name that stands as the name of a field does not leave', async t => {
  const withheld = [NAME, `ImageDescription: ${NAME}`, `ImageDescription: Filename: ${NAME}`, `OME-XML: ${NAME}`, `unknown tag ${NAME}`, `(0010,0010) ${NAME}`, `(0010,0010) YamadaTaro`, `unknown field of ${NAME}`, `Artist\n${NAME}`, 'constructor', '(0010,0010) constructor']
  const structure = deidentify(reader({ withheld, associated: [{ name: `label ${NAME}`, width: 1, height: 1 }] }), { slideId, pseudonym })
  t.notMatch(JSON.stringify(structure).toLowerCase(), /yamada|constructor/)
  t.equal(structure.removed.reduce((sum, { count }) => sum + count, 0), withheld.length + 2)
})

t.test('stays within the limits of a structure whatever a file holds', async t => {
  const withheld = Array.from({ length: 65_536 }, (_, tag) => `unknown tag ${tag}`)
  const { removed } = deidentify(reader({ withheld }), { slideId, pseudonym })
  t.ok(removed.length < 100)
  t.equal(removed.reduce((sum, { count }) => sum + count, 0), withheld.length + 1)
})

t.test('numbers carry no more than a measure needs', async t => {
  const structure = deidentify(reader({ micronsPerPixel: { x: 0.2501234567891, y: Infinity }, objectivePower: 40.00000000001 }), { slideId, pseudonym })
  t.equal(structure.micronsPerPixel, null)
  t.equal(structure.objectivePower, 40)
  t.equal(deidentify(reader({ micronsPerPixel: undefined, objectivePower: -1 }), { slideId, pseudonym }).objectivePower, null)
})

t.test('keeps nothing without a policy that allows it, and only what can be kept', async t => {
  const scan = { date: '2024-05-31', scannerModel: 'Aperio AT2' }
  const refused = { code: 'identity_refused' }
  t.throws(() => deidentify(reader({ scan }), { slideId, pseudonym, keep: ['scan date'] }), refused)
  t.throws(() => deidentify(reader({ scan }), { slideId, pseudonym, keep: ['scanner model'], policy: decodePolicy('{"version":1,"keep":["scan date"]}') }), refused)
  t.throws(() => deidentify(reader({ scan }), { slideId, pseudonym, keep: ['PatientName'], policy }), refused)
  t.equal(deidentify(reader({ scan }), { slideId, pseudonym, policy }).kept, undefined, 'a policy allows, it does not keep')
  t.same(deidentify(reader({ scan }), { slideId, pseudonym, policy, keep: ['scan date', 'scanner model'] }).kept, { scanDate: '2024-05-31', scannerModel: 'Aperio AT2' })
  t.equal(deidentify(reader({ scan: { date: NAME, scannerModel: NAME } }), { slideId, pseudonym, policy, keep: ['scan date', 'scanner model'] }).kept, undefined, 'a name in their place is not kept')
})

const aperioFile = async (): Promise<SlideReader> => {
  const description = 'Aperio Image Library v11\r\nx|AppMag = 20|MPP = 0.5|ScannerType = Aperio AT2|ScanScope ID = YAMADA-1|Date = 05/31/24|Time = 09:59:15|User = YAMADA TARO'
  return TiffSlide.open(new MemorySource(await makeSmallTiff({ family: 'aperio', description })))
}

const dicomFileIn = async (directory: string): Promise<SlideReader> => {
  const dataSet = { AcquisitionDateTime: '20240531095915.25+0900', ManufacturerModelName: 'Aperio AT2', DeviceSerialNumber: 'YAMADA-1' }
  await writeFile(join(directory, 'a.dcm'), dicomFile({ frames: [tile, tile], dataSet }))
  return openDicomSlide(directory)
}

t.test('of a file that says more, date and model are kept where a policy allows it, and nothing else', async t => {
  for (const file of [await aperioFile(), await dicomFileIn(t.testdir())]) {
    await using slide = await DeidentifiedSlide.open(file, { slideId, pseudonym, policy, keep: ['scan date', 'scanner model'] })
    t.same(slide.structure.kept, { scanDate: '2024-05-31', scannerModel: 'Aperio AT2' }, file.format)
    t.notMatch(JSON.stringify(slide.structure), /YAMADA|09:?59/)
  }
})

t.test('what is kept is not listed as removed, and the time of day is', async t => {
  const listed = async (file: SlideReader, keep: string[]): Promise<string[]> => {
    await using slide = await DeidentifiedSlide.open(file, { slideId, pseudonym, policy, keep })
    return slide.structure.removed.map(({ place, action }) => `${place} ${action}`).filter(line => /Date|Time|Model|ScannerType/.test(line))
  }
  t.same(await listed(await aperioFile(), []), ['ImageDescription: Date removed', 'ImageDescription: ScannerType removed', 'ImageDescription: Time removed'])
  t.same(await listed(await aperioFile(), ['scan date']), ['ImageDescription: ScannerType removed', 'ImageDescription: Time removed'])
  t.same(await listed(await aperioFile(), ['scan date', 'scanner model']), ['ImageDescription: Time removed'])
  const directory = t.testdir()
  t.same(await listed(await dicomFileIn(directory), []), ['(0008,002A) AcquisitionDateTime replaced', '(0008,1090) ManufacturerModelName removed'])
  t.same(await listed(await dicomFileIn(directory), ['scan date', 'scanner model']), ['(0008,002A) AcquisitionDateTime replaced'])
})

t.test('of a file that says them, date and model are not kept without a policy, nor a model that it does not name', async t => {
  for (const file of [await aperioFile(), await dicomFileIn(t.testdir())]) {
    await using reader = file
    for (const keep of ['scan date', 'scanner model']) await t.rejects(DeidentifiedSlide.open(reader, { slideId, pseudonym, keep: [keep] }), { code: 'identity_refused' })
    const other = decodePolicy('{"version":1,"keep":["scanner model"],"scannerModels":["Other"]}')
    t.equal((await DeidentifiedSlide.open(reader, { slideId, pseudonym, keep: ['scanner model'], policy: other })).structure.kept, undefined)
    t.notMatch(JSON.stringify(deidentify(reader, { slideId, pseudonym, policy })), /2024|AT2/)
  }
})

t.test('refuses a policy that says more than it can', async t => {
  for (const text of ['', '{}', '{"version":1,"keep":["patient name"]}', '{"version":1,"keep":["scanner model"]}', '{"version":1,"keep":[],"other":1}', '{"version":1,"keep":["scanner model"],"scannerModels":["山田"]}']) {
    t.throws(() => decodePolicy(text), { code: 'bad_config' }, text)
  }
})

t.test('reads tiles without their comments, and counts each once', async t => {
  await using slide = new DeidentifiedSlide(reader(), { slideId, pseudonym })
  for (let time = 0; time < 2; time++) t.equal((await slide.readTile(0, { column: 0, row: 0 })).indexOf(NAME), -1)
  t.equal((await slide.readTile(0, { column: 1, row: 0 })).length, 0)
  t.same(slide.cutFromTiles, [{ place: 'JPEG comment in tiles', action: 'removed', count: 1 }])
  t.ok(SlideStructure.safeParse(slide.structure).success)
})

t.test('looks at a tile of each level and lists what all are likely to have', async t => {
  await using slide = await DeidentifiedSlide.open(reader({ readTile: () => Promise.resolve(tile) }), { slideId, pseudonym })
  t.same(slide.structure.removed, [{ place: 'JPEG comment in tiles', action: 'removed', count: 1 }, { place: 'file name', action: 'replaced', count: 1 }])
})
