import { jpegCompleter } from '../../wire/tile-jpeg.ts'
import { tagOf, UIDS } from '../formats/dicom-dictionary.ts'
import { delimiter, elementHeader, encodeDataSet, ITEM, SEQUENCE_END } from './dicom-encoding.ts'
import { derivedUid, IMPLEMENTATION } from './dicom-uids.ts'
import { FrameOrder } from './frame-order.ts'
import { wsmDataSet } from './wsm-data-set.ts'
import type { TilePosition } from '../../wire/tile-order.ts'
import type { DicomDataSet } from './dicom-encoding.ts'
import type { DicomwebSlide, DicomwebSource } from './dicomweb-source.ts'
import type { WsmInstance } from './wsm-data-set.ts'

const UNDEFINED = 0xffff_ffff

/** A level of a slide as an instance; `undefined` when all of its tiles are left out. @throws {RelayFault} `not_found`. */
export function instanceOf(source: DicomwebSource, slide: DicomwebSlide, level: number): WsmInstance | undefined {
  const { slideId, levels } = slide.structure
  const shape = levels[level]
  if (shape === undefined) return undefined
  const lengths = source.lengths(slideId, level)
  const frames = FrameOrder.of(shape, lengths)
  if (frames.frames === 0) return undefined
  // A JPEG 2000 tile may be lossy or not; this one says neither.
  const transferSyntax = shape.encoding.compression === 'jpeg' ? UIDS.jpegBaseline : UIDS.jpeg2000
  return { slide, level, shape, frames, lengths, transferSyntax, sopInstanceUid: derivedUid(slideId, `level-${level}`) }
}

/** Reads frames of an instance: JPEG tiles as whole JPEGs, their picture data as stored; JPEG 2000 as it is. */
export class FrameReader {
  readonly #source: DicomwebSource
  readonly #instance: WsmInstance
  readonly #complete: (tile: Uint8Array) => Uint8Array

  constructor(source: DicomwebSource, instance: WsmInstance) {
    this.#source = source
    this.#instance = instance
    this.#complete = instance.shape.encoding.compression === 'jpeg' ? jpegCompleter(instance.shape.encoding) : tile => tile
  }

  /** @param frame - From 1. @throws {RelayFault} `not_found`, `bad_slide`. */
  read(frame: number): Promise<Uint8Array> {
    return this.readTile(this.#instance.frames.tileOf(frame))
  }

  /** @throws {RelayFault} `not_found`, `bad_slide`. */
  async readTile(position: TilePosition): Promise<Uint8Array> {
    const { slide, level } = this.#instance
    return this.#complete(await this.#source.readTile(slide.structure.slideId, level, position))
  }
}

/** The data set of an instance without pixel data. @throws {RelayFault} `not_found`, `bad_slide`. */
export async function dataSetOf(source: DicomwebSource, instance: WsmInstance): Promise<DicomDataSet> {
  const needsFrame = instance.shape.encoding.compression === 'jpeg2000'
  return wsmDataSet(instance, needsFrame ? await new FrameReader(source, instance).read(1) : new Uint8Array())
}

/**
 * An instance as a DICOM file, piece by piece: never more than a tile is in memory. The basic offset table is empty,
 * each frame is one fragment.
 *
 * @throws {RelayFault} `not_found`, `bad_slide`.
 * @see PS3.10 section 7; PS3.5 section A.4
 */
export async function* writeInstance(source: DicomwebSource, instance: WsmInstance): AsyncGenerator<Uint8Array> {
  const reader = new FrameReader(source, instance)
  const dataSet = await dataSetOf(source, instance)
  yield fileMeta(instance)
  yield* encodeDataSet(dataSet)
  yield Buffer.concat([elementHeader(tagOf('PixelData'), 'OB', UNDEFINED), delimiter(ITEM, 0)])
  for (const position of instance.frames.positions()) {
    const frame = await reader.readTile(position)
    yield delimiter(ITEM, frame.length + (frame.length % 2))
    yield frame
    if (frame.length % 2 === 1) yield Buffer.of(0)
  }
  yield delimiter(SEQUENCE_END, 0)
}

/** Preamble, prefix and file meta information. @see PS3.10 section 7.1 */
function fileMeta({ transferSyntax, sopInstanceUid }: WsmInstance): Buffer {
  const group = Buffer.concat([
    ...encodeDataSet({
      FileMetaInformationVersion: Buffer.of(0, 1),
      MediaStorageSOPClassUID: UIDS.wholeSlideMicroscopy,
      MediaStorageSOPInstanceUID: sopInstanceUid,
      TransferSyntaxUID: transferSyntax,
      ImplementationClassUID: IMPLEMENTATION.classUid,
      ImplementationVersionName: IMPLEMENTATION.versionName,
    }),
  ])
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM', 'latin1'), ...encodeDataSet({ FileMetaInformationGroupLength: group.length }), group])
}
