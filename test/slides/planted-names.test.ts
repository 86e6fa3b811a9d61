import { generateKeyPairSync } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'tap'
import { DeidentifiedSlide } from '../../relay/slides/deidentify/deidentified-slide.ts'
import { BASIC_PROFILE } from '../../relay/slides/deidentify/dicom-profile.ts'
import { caseNumberOf, pseudonymOf } from '../../relay/slides/deidentify/pseudonym.ts'
import { ATTRIBUTES } from '../../relay/slides/formats/dicom-dictionary.ts'
import { openDicomSlide } from '../../relay/slides/formats/dicom-slide.ts'
import { openTiffSlide } from '../../relay/slides/formats/tiff-slide.ts'
import { openSigningKey } from '../../relay/slides/manifest/heads.ts'
import { reassemble } from '../../relay/slides/manifest/reassemble.ts'
import { SlidePreparation } from '../../relay/slides/manifest/slide-preparation.ts'
import { element, named, sequence, writePlantedDicom } from './planted-dicom.ts'
import { foundIn, PLANTED_NAMES } from './planted-name.ts'
import { afterStart, jpegSegment, pictureJpeg, writePlantedTiff } from './planted-tiff.ts'
import type { PseudonymKey } from '../../relay/slides/deidentify/pseudonym.ts'
import type { Keyword, Vr } from '../../relay/slides/formats/dicom-dictionary.ts'
import type { SlideReader } from '../../relay/slides/formats/slide-reader.ts'
import type { TiffField } from '../../relay/slides/formats/tiff-writer.ts'
import type { SlideId } from '../../relay/wire/ids.ts'
import type { DicomPlants } from './planted-dicom.ts'
import type { TiffPlants } from './planted-tiff.ts'

const slideId = '6f1ed002-ab5c-4a5f-8a53-2f4f3b1fd4cc' as SlideId
const pseudonymKey = Buffer.alloc(32, 7) as PseudonymKey
const signingKey = await openSigningKey(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }))

const text = (...parts: (Buffer | string)[]): Buffer => Buffer.concat([...parts, '\0'].map(part => Buffer.from(part as string, 'latin1')))
const field = (tag: number, type: TiffField['type'], values: Buffer): Pick<TiffPlants, 'fields'> => ({ fields: [{ tag, type, values }] })
const aperio = (...parts: (Buffer | string)[]): Pick<TiffPlants, 'description'> => ({ description: () => text('Aperio Image Library v12\r\n160x120', ...parts) })
const ome = (...parts: (Buffer | string)[]): Pick<TiffPlants, 'description'> => ({
  description: level => (level > 0 ? text('') : text('<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" SizeX="160" SizeY="120" SizeC="3" SizeZ="1" SizeT="1" Type="uint8" PhysicalSizeX="0.5" PhysicalSizeY="0.5"><TiffData IFD="0"/></Pixels></Image>', ...parts, '</OME>')),
})
const padded = (body: Buffer): Buffer => Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)])

/** An ICC profile that is all description. @see ICC.1:2022 section 7 */
function iccProfile(name: Buffer): Buffer {
  const tag = padded(Buffer.concat([Buffer.from('desc\0\0\0\0'), Buffer.of(0, 0, 0, name.length), name]))
  const profile = Buffer.concat([Buffer.alloc(128), Buffer.of(0, 0, 0, 1), Buffer.from('desc'), Buffer.of(0, 0, 0, 144, 0, 0, 0, tag.length), tag])
  profile.writeUInt32BE(profile.length, 0)
  profile.write('acsp', 36)
  return profile
}

/** Places in a TIFF, and how the structure must call each. */
const TIFF_PLACES: Readonly<Record<string, { readonly plant: (name: Buffer, label: Buffer) => TiffPlants; readonly listed: string | undefined }>> = {
  'value in an Aperio description': { plant: name => aperio('|AppMag = 20|MPP = 0.5|Filename = ', name), listed: 'ImageDescription: Filename' },
  'value of the Aperio user': { plant: name => aperio('|User = ', name, '|MPP = 0.5'), listed: 'ImageDescription: User' },
  'key in an Aperio description': { plant: name => aperio('|', name, ' = 1|MPP = 0.5'), listed: 'ImageDescription: other field' },
  'field of an Aperio description without key': { plant: name => aperio('|', name), listed: 'ImageDescription: other field' },
  'heading of an Aperio description': { plant: name => aperio(' ', name, '|MPP = 0.5'), listed: 'ImageDescription: heading' },
  'behind the measure of a pixel': { plant: name => aperio('|MPP = 0.5 ', name, '|AppMag = 20'), listed: undefined },
  'in place of the magnification': { plant: name => aperio('|AppMag = ', name), listed: undefined },
  'description of a generic TIFF': { plant: name => ({ description: () => text('scanned for ', name) }), listed: 'ImageDescription' },
  DocumentName: { plant: name => field(269, 'ascii', text(name)), listed: 'DocumentName' },
  Make: { plant: name => field(271, 'ascii', text(name)), listed: 'Make' },
  Model: { plant: name => field(272, 'ascii', text(name)), listed: 'Model' },
  PageName: { plant: name => field(285, 'ascii', text(name)), listed: 'PageName' },
  Software: { plant: name => field(305, 'ascii', text(name)), listed: 'Software' },
  DateTime: { plant: name => field(306, 'ascii', text(name)), listed: 'DateTime' },
  Artist: { plant: name => field(315, 'ascii', text(name)), listed: 'Artist' },
  HostComputer: { plant: name => field(316, 'ascii', text(name)), listed: 'HostComputer' },
  InkNames: { plant: name => field(333, 'ascii', text(name)), listed: 'InkNames' },
  TargetPrinter: { plant: name => field(337, 'ascii', text(name)), listed: 'TargetPrinter' },
  Copyright: { plant: name => field(33432, 'ascii', text(name)), listed: 'Copyright' },
  ImageID: { plant: name => field(32781, 'ascii', text(name)), listed: 'ImageID' },
  XMP: { plant: name => field(700, 'byte', text('<x:xmpmeta><dc:creator>', name, '</dc:creator></x:xmpmeta>')), listed: 'XMP' },
  IPTC: { plant: name => field(33723, 'undefined', name), listed: 'IPTC' },
  Photoshop: { plant: name => field(34377, 'byte', name), listed: 'Photoshop' },
  'Exif directory': { plant: name => field(34665, 'undefined', Buffer.concat([Buffer.alloc(8), name])), listed: 'Exif IFD' },
  GPS: { plant: name => field(34853, 'undefined', name), listed: 'GPS IFD' },
  'Exif UserComment': { plant: name => field(37510, 'undefined', Buffer.concat([Buffer.from('UNICODE\0'), name])), listed: 'UserComment' },
  'ICC description': { plant: name => field(34675, 'undefined', iccProfile(name)), listed: 'ICC profile' },
  'NDPI Reference': { plant: name => field(65427, 'ascii', text(name)), listed: 'NDPI Reference' },
  'NDPI metadata': { plant: name => field(65449, 'ascii', text(name)), listed: 'NDPI metadata' },
  'private tag': { plant: name => field(65000, 'undefined', name), listed: 'unknown tag 65000' },
  'unknown tag of low number': { plant: name => field(9, 'ascii', name), listed: 'unknown tag 9' },
  'value of OME-XML': { plant: name => ome('<Experimenter ID="Experimenter:0" LastName="', name, '"/>'), listed: 'ImageDescription: OME-XML' },
  'annotation of OME-XML': { plant: name => ome('<StructuredAnnotations><CommentAnnotation ID="A:0"><Value>', name, '</Value></CommentAnnotation></StructuredAnnotations>'), listed: 'ImageDescription: OME-XML' },
  'comment of OME-XML': { plant: name => ome('<!-- ', name, ' -->'), listed: 'ImageDescription: OME-XML' },
  'comment in a label': { plant: (name, jpeg) => ({ pictures: [{ jpeg: afterStart(jpeg, jpegSegment(0xfe, name)), fields: [{ tag: 270, type: 'ascii', values: text('Aperio\r\nlabel 64x64') }] }] }), listed: 'label image' },
  'pixels of a macro': { plant: (name, jpeg) => ({ pictures: [{ jpeg: Buffer.concat([jpeg, name]), fields: [{ tag: 270, type: 'ascii', values: text('Aperio\r\nmacro ', name) }] }] }), listed: 'macro image' },
  'bytes that nothing refers to': { plant: name => ({ unreferenced: name }), listed: undefined },
  'behind the last directory': { plant: name => ({ trailing: name }), listed: undefined },
  'comment in tiles': { plant: name => ({ tile: jpeg => afterStart(jpeg, jpegSegment(0xfe, name)) }), listed: 'JPEG comment in tiles' },
  'Exif in tiles': { plant: name => ({ tile: jpeg => afterStart(jpeg, jpegSegment(0xe1, Buffer.concat([Buffer.from('Exif\0\0'), name]))) }), listed: 'JPEG APP1 in tiles' },
  'ICC in tiles': { plant: name => ({ tile: jpeg => afterStart(jpeg, jpegSegment(0xe2, Buffer.concat([Buffer.from('ICC_PROFILE\0\x01\x01', 'latin1'), iccProfile(name)]))) }), listed: 'JPEG APP2 in tiles' },
  'Photoshop in tiles': { plant: name => ({ tile: jpeg => afterStart(jpeg, jpegSegment(0xed, name)) }), listed: 'JPEG APP13 in tiles' },
  'surplus of an Adobe marker': { plant: name => ({ tile: jpeg => afterStart(jpeg, jpegSegment(0xee, Buffer.concat([Buffer.from('41646f626500640000000000', 'hex'), name]))) }), listed: 'JPEG APP14 in tiles' },
  'JFIF thumbnail': { plant: name => ({ tile: jpeg => afterStart(jpeg, jpegSegment(0xe0, Buffer.concat([Buffer.from('4a4649460001010100480048', 'hex'), Buffer.of(name.length, 1), name, name, name]))) }), listed: 'JPEG thumbnail in tiles' },
  'behind the end of tiles': { plant: name => ({ tile: jpeg => Buffer.concat([jpeg, name, Buffer.of(0xff, 0xd9)]) }), listed: 'after the end of a tile in tiles' },
  'comment in JPEG tables': { plant: name => ({ tables: tables => afterStart(tables, jpegSegment(0xfe, name)) }), listed: 'JPEGTables: other segment' },
  'application data in JPEG tables': { plant: name => ({ tables: tables => afterStart(tables, jpegSegment(0xe5, name)) }), listed: 'JPEGTables: other segment' },
  'behind the end of JPEG tables': { plant: name => ({ tables: tables => Buffer.concat([tables, name]) }), listed: undefined },
}

const TEXT_VRS: ReadonlySet<Vr> = new Set(['AE', 'AS', 'CS', 'DA', 'DS', 'DT', 'IS', 'LO', 'LT', 'PN', 'SH', 'ST', 'TM', 'UC', 'UI', 'UR', 'UT'])

/** One attribute with the name in it: of text, or a sequence with a name in its item. */
const attribute = (keyword: Keyword, name: Buffer): DicomPlants => {
  const [tag, vr] = ATTRIBUTES[keyword]
  const planted = TEXT_VRS.has(vr) ? named(keyword, name) : sequence(tag, named('PersonName', name).bytes)
  return tag >>> 16 === 2 ? { meta: [planted] } : { elements: [planted] }
}

/** These are what a reader goes by; a file with a name in them is none. */
const STRUCTURAL: ReadonlySet<string> = new Set(['MediaStorageSOPInstanceUID', 'ConcatenationUID'])

const DICOM_PLACES: Readonly<Record<string, { readonly plant: (name: Buffer) => DicomPlants; readonly listed: string | undefined }>> = {
  ...Object.fromEntries(
    Object.keys(BASIC_PROFILE)
      .filter((keyword): keyword is Keyword => keyword in ATTRIBUTES && !STRUCTURAL.has(keyword) && (TEXT_VRS.has(ATTRIBUTES[keyword as Keyword][1]) || ATTRIBUTES[keyword as Keyword][1] === 'SQ'))
      .map(keyword => [keyword, { plant: (name: Buffer) => attribute(keyword, name), listed: keyword }]),
  ),
  Manufacturer: { plant: name => attribute('Manufacturer', name), listed: 'Manufacturer' },
  'specimen in its sequence': { plant: name => attribute('SpecimenDescriptionSequence', name), listed: 'SpecimenDescriptionSequence' },
  'private group': { plant: name => ({ elements: [element(0x0009_0010, 'LO', name), element(0x0009_1001, 'UN', name)] }), listed: 'private attribute' },
  'attribute of no dictionary': { plant: name => ({ elements: [element(0x0010_9998, 'LO', name)] }), listed: 'unknown attribute' },
  'optical path': { plant: name => ({ opticalPath: named('OpticalPathDescription', name).bytes }), listed: undefined },
  'ICC profile of the optical path': { plant: name => ({ opticalPath: named('ICCProfile', iccProfile(name)).bytes }), listed: undefined },
  'frame type': { plant: name => ({ elements: [named('ImageType', Buffer.concat([Buffer.from('ORIGINAL\\PRIMARY\\VOLUME\\'), name]))] }), listed: undefined },
  // Behind the pixels, where the reader does not go.
  DigitalSignaturesSequence: { plant: name => attribute('DigitalSignaturesSequence', name), listed: undefined },
  preamble: { plant: name => ({ preamble: name }), listed: undefined },
  'private file meta information': { plant: name => ({ meta: [element(0x0002_0102, 'OB', name)] }), listed: undefined },
  'trailing padding': { plant: name => ({ elements: [element(0xfffc_fffc, 'OB', name)] }), listed: undefined },
  'comment in frames': { plant: name => ({ frame: jpeg => afterStart(jpeg, jpegSegment(0xfe, name)) }), listed: 'JPEG comment in tiles' },
  'behind the end of frames': { plant: name => ({ frame: jpeg => Buffer.concat([jpeg, name]) }), listed: 'after the end of a tile in tiles' },
}

/** All bytes that leave for a slide, and what is told of what was removed. */
async function leaving(reader: SlideReader, path: string, copy: string): Promise<{ readonly bytes: Buffer; readonly places: string[] }> {
  const tiles = await DeidentifiedSlide.open(reader, { slideId, pseudonym: pseudonymOf(caseNumberOf(path), pseudonymKey) })
  await using prepared = new SlidePreparation({ structure: tiles.structure, tiles, key: signingKey })
  const parts = [prepared.structureBytes, Buffer.from(JSON.stringify(prepared.key))]
  for await (const level of prepared.levels(new AbortController().signal)) {
    parts.push(level.indexBytes, Buffer.from(level.head), Buffer.from(level.head.split('.').join('\n')))
    for (let chunk = 0; chunk < level.index.chunks; chunk++) parts.push(await prepared.readChunk(level, chunk))
  }
  parts.push(Buffer.from(await prepared.head()))
  await reassemble(tiles.structure, (level, column, row) => tiles.readTile(level, { column, row }), copy)
  parts.push(await readFile(copy))
  return { bytes: Buffer.concat(parts), places: tiles.structure.removed.map(({ place }) => place) }
}

t.test('the search finds the name in every form', async t => {
  for (const { encoding, bytes } of PLANTED_NAMES) {
    for (let before = 0; before < 4; before++) {
      const around = Buffer.concat([Buffer.alloc(before, 'x'), bytes, Buffer.from('tail')])
      t.ok(foundIn(around).length > 0, encoding)
      t.ok(foundIn(Buffer.from(around.toString('base64'))).length > 0, `${encoding} in base64`)
      t.ok(foundIn(Buffer.from(around.toString('base64url'))).length > 0, `${encoding} in base64url`)
    }
  }
  t.same(foundIn(Buffer.from('nobody')), [])
})

t.test('a name planted in a TIFF does not leave', { timeout: 300_000 }, async t => {
  const label = await pictureJpeg()
  const directory = t.testdir()
  for (const [number, [place, { plant, listed }]] of Object.entries(TIFF_PLACES).entries()) {
    for (const [index, { encoding, bytes }] of PLANTED_NAMES.entries()) {
      const path = join(directory, `${number}-${index}.svs`)
      await writePlantedTiff(path, plant(bytes, label))
      t.ok((await readFile(path)).includes(bytes), `${place}: it is in the file`)
      const left = await leaving(await openTiffSlide(path), path, join(directory, 'copy.tif'))
      t.same(foundIn(left.bytes), [], `${place}, ${encoding}`)
      if (listed !== undefined) t.ok(left.places.includes(listed), `${place} is listed`)
    }
  }
})

t.test('a name planted in a DICOM file does not leave', { timeout: 300_000 }, async t => {
  const directory = t.testdir({ in: {}, out: {} })
  const path = join(directory, 'in', 'slide.dcm')
  // All encodings at once: the reader looks at no text but a few numbers and codes.
  const bytes = Buffer.concat(PLANTED_NAMES.flatMap(name => [name.bytes, Buffer.from('=')]))
  for (const [place, { plant, listed }] of Object.entries(DICOM_PLACES)) {
    await writePlantedDicom(path, plant(bytes))
    t.ok((await readFile(path)).includes(bytes), `${place}: it is in the file`)
    const left = await leaving(await openDicomSlide(path), path, join(directory, 'out', 'copy.tif'))
    t.same(foundIn(left.bytes), [], place)
    if (listed !== undefined) t.ok(left.places.some(told => told.endsWith(listed)), `${place} is listed`)
  }
})

t.test('a name in the name of a file and of its folder does not leave', async t => {
  for (const name of ['YAMADA^TARO', '山田太郎']) {
    const directory = t.testdir({ [name]: {} })
    const path = join(directory, name, `${name}.svs`)
    await writePlantedTiff(path, {})
    const { bytes, places } = await leaving(await openTiffSlide(path), path, join(directory, 'copy.tif'))
    t.same(foundIn(bytes), [])
    t.ok(places.includes('file name'))
  }
})
