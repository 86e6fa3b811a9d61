import { RelayFault } from '../../wire/fault.ts'
import { BytesMissing, DICOM_LIMITS, DicomBytes, FrameGroupsAhead } from './dicom-data-set.ts'
import { tagOf, UIDS } from './dicom-dictionary.ts'
import { FramePositions } from './frame-positions.ts'
import { readRange, walkSequence } from './sequence-windows.ts'
import type { DataElement, ElementRange } from './dicom-data-set.ts'
import type { FileHandle } from 'node:fs/promises'
import type { SequencePlace } from './sequence-windows.ts'

const PREAMBLE_BYTES = 132
const FIRST_READ_BYTES = 64 * 1024
const UNDEFINED = 0xffff_ffff

/** A DICOM file up to its pixel data. Offsets of elements are of `source`. */
export interface DicomHeader {
  readonly source: DicomBytes
  readonly transferSyntax: string
  readonly sopClass: string
  readonly fileMeta: ElementRange
  /** The data set without pixel data. */
  readonly dataSet: ElementRange
  /** Its top-level elements, without pixel data. */
  readonly elements: readonly DataElement[]
  /** Offset in the file of the first item of encapsulated pixel data. */
  readonly pixelItemsAt: number | undefined
  /** What each frame says of itself; `undefined` where nothing is said. `source` is without it. */
  readonly frameGroups: SequencePlace | undefined
  readonly framePositions: FramePositions | undefined
  /** Where a byte of `source` stands in the file. */
  readonly offsetInFile: (at: number) => number
}

/** Whether bytes begin like a DICOM file. @see PS3.10 section 7.1 */
export const isDicomPrefix = (bytes: Buffer): boolean => bytes.length >= PREAMBLE_BYTES && bytes.toString('latin1', 128, PREAMBLE_BYTES) === 'DICM'

/** What a file says of each of its frames. */
interface FrameGroups {
  readonly place: SequencePlace
  /** Offset in the file of what stands after it. */
  readonly end: number
  readonly positions: FramePositions
}

/**
 * Reads a file up to its pixel data, never more than `DICOM_LIMITS.headerBytes` of it at once.
 *
 * @returns `undefined` when the file is no DICOM file.
 * @throws {RelayFault} `bad_slide`; `unsupported_slide` for data sets that are not explicit VR little endian.
 */
export async function readDicomHeader(handle: FileHandle, fileSize: number): Promise<DicomHeader | undefined> {
  let bytes = await readRange(handle, 0, Math.min(fileSize, FIRST_READ_BYTES))
  if (!isDicomPrefix(bytes)) return undefined
  let groups: FrameGroups | undefined
  for (;;) {
    try {
      return parseDicomHeader(bytes, fileSize, groups)
    } catch (thrown) {
      if (thrown instanceof FrameGroupsAhead) {
        const { place } = thrown
        const positions = new FramePositions()
        const end = await walkSequence(handle, fileSize, place, positions.take.bind(positions))
        groups = { place, end, positions }
        bytes = await readOn(handle, bytes.subarray(0, place.at), fileSize, groups, place.at + FIRST_READ_BYTES)
      } else if (thrown instanceof BytesMissing) {
        if (thrown.until > DICOM_LIMITS.headerBytes) throw new RelayFault('bad_slide', 'DICOM: the header is too long', { cause: thrown })
        bytes = await readOn(handle, bytes, fileSize, groups, Math.max(thrown.until, bytes.length * 4))
      } else throw thrown
    }
  }
}

/** @param until - Without what is left out, in bytes; less where the file, or what may be read of it, ends. */
async function readOn(handle: FileHandle, had: Buffer, fileSize: number, groups: FrameGroups | undefined, until: number): Promise<Buffer> {
  const gap = gapBytes(groups)
  const length = Math.min(fileSize - gap, DICOM_LIMITS.headerBytes, until) - had.length
  return length <= 0 ? had : Buffer.concat([had, await readRange(handle, had.length + gap, length)])
}

const gapBytes = (groups: FrameGroups | undefined): number => (groups === undefined ? 0 : groups.end - groups.place.at)

/** @throws {RelayFault} `bad_slide`, `unsupported_slide`; {@link BytesMissing} when `bytes` end before the header does; {@link FrameGroupsAhead}. */
function parseDicomHeader(bytes: Buffer, fileSize: number, groups: FrameGroups | undefined): DicomHeader {
  const size = fileSize - gapBytes(groups)
  const source = new DicomBytes(bytes, size, groups?.place.at)
  const fileMeta = fileMetaOf(source, size)
  const transferSyntax = source.text(fileMeta, 'TransferSyntaxUID')
  // Encapsulated transfer syntaxes are all explicit VR little endian. @see PS3.5 section A.4
  const isKnown = transferSyntax === UIDS.explicitLittleEndian || (transferSyntax.startsWith('1.2.840.10008.1.2.4.') && transferSyntax.length < 64)
  if (!isKnown) throw new RelayFault('unsupported_slide', 'DICOM: this transfer syntax is not read')
  const elements: DataElement[] = []
  let [end, pixelItemsAt]: [number, number | undefined] = [size, undefined]
  for (const element of source.elements({ start: fileMeta.end, end: size, isImplicit: false })) {
    if (element.tag === tagOf('PixelData')) {
      end = element.startAt
      if (element.length === UNDEFINED) pixelItemsAt = element.valueAt
      break
    }
    if (elements.push(element) > DICOM_LIMITS.elements) throw new RelayFault('bad_slide', 'DICOM: too many attributes')
  }
  const offsetInFile = (at: number): number => (groups === undefined || at < groups.place.at ? at : at + gapBytes(groups))
  return {
    source, transferSyntax, sopClass: source.text(fileMeta, 'MediaStorageSOPClassUID'), fileMeta, elements,
    dataSet: { start: fileMeta.end, end, isImplicit: false },
    pixelItemsAt: pixelItemsAt === undefined ? undefined : offsetInFile(pixelItemsAt),
    framePositions: groups?.positions, frameGroups: groups?.place, offsetInFile,
  }
}

/** File meta information: the elements of group 0002. @see PS3.10 section 7.1 */
function fileMetaOf(source: DicomBytes, fileSize: number): ElementRange {
  let end = PREAMBLE_BYTES
  for (const { tag, valueAt, length } of source.elements({ start: PREAMBLE_BYTES, end: fileSize, isImplicit: false })) {
    if (tag >>> 16 !== 2) break
    // Group 0002 has no sequences.
    end = valueAt + length
  }
  return { start: PREAMBLE_BYTES, end, isImplicit: false }
}
