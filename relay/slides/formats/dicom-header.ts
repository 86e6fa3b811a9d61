import { RelayFault } from '../../wire/fault.ts'
import { BytesMissing, DICOM_LIMITS, DicomBytes } from './dicom-data-set.ts'
import { tagOf, UIDS } from './dicom-dictionary.ts'
import type { DataElement, ElementRange } from './dicom-data-set.ts'
import type { FileHandle } from 'node:fs/promises'

const PREAMBLE_BYTES = 132
const FIRST_READ_BYTES = 64 * 1024
const UNDEFINED = 0xffff_ffff

/** A DICOM file up to its pixel data. */
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
}

/** Whether bytes begin like a DICOM file. @see PS3.10 section 7.1 */
export const isDicomPrefix = (bytes: Buffer): boolean => bytes.length >= PREAMBLE_BYTES && bytes.toString('latin1', 128, PREAMBLE_BYTES) === 'DICM'

/**
 * Reads a file up to its pixel data, never more than `DICOM_LIMITS.headerBytes`.
 *
 * @returns `undefined` when the file is no DICOM file.
 * @throws {RelayFault} `bad_slide`; `unsupported_slide` for data sets that are not explicit VR little endian.
 */
export async function readDicomHeader(handle: FileHandle, fileSize: number): Promise<DicomHeader | undefined> {
  let bytes = await readAtMost(handle, Buffer.alloc(0), Math.min(fileSize, FIRST_READ_BYTES))
  if (!isDicomPrefix(bytes)) return undefined
  for (;;) {
    try {
      return parseDicomHeader(bytes, fileSize)
    } catch (thrown) {
      if (!(thrown instanceof BytesMissing)) throw thrown
      if (thrown.until > DICOM_LIMITS.headerBytes) throw new RelayFault('bad_slide', 'DICOM: the header is too long', { cause: thrown })
      bytes = await readAtMost(handle, bytes, Math.min(fileSize, DICOM_LIMITS.headerBytes, Math.max(thrown.until, bytes.length * 4)))
    }
  }
}

/** @throws {RelayFault} `bad_slide`, `unsupported_slide`; `BytesMissing` when `bytes` end before the header does. */
export function parseDicomHeader(bytes: Buffer, fileSize: number): DicomHeader {
  const source = new DicomBytes(bytes, fileSize)
  const fileMeta = fileMetaOf(source, fileSize)
  const transferSyntax = source.text(fileMeta, 'TransferSyntaxUID')
  // Encapsulated transfer syntaxes are all explicit VR little endian. @see PS3.5 section A.4
  const isKnown = transferSyntax === UIDS.explicitLittleEndian || (transferSyntax.startsWith('1.2.840.10008.1.2.4.') && transferSyntax.length < 64)
  if (!isKnown) throw new RelayFault('unsupported_slide', 'DICOM: this transfer syntax is not read')
  const elements: DataElement[] = []
  let [end, pixelItemsAt]: [number, number | undefined] = [fileSize, undefined]
  for (const element of source.elements({ start: fileMeta.end, end: fileSize, isImplicit: false })) {
    if (element.tag === tagOf('PixelData')) {
      end = element.startAt
      if (element.length === UNDEFINED) pixelItemsAt = element.valueAt
      break
    }
    if (elements.push(element) > DICOM_LIMITS.elements) throw new RelayFault('bad_slide', 'DICOM: too many attributes')
  }
  const dataSet = { start: fileMeta.end, end, isImplicit: false }
  return { source, transferSyntax, sopClass: source.text(fileMeta, 'MediaStorageSOPClassUID'), fileMeta, dataSet, elements, pixelItemsAt }
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

async function readAtMost(handle: FileHandle, had: Buffer, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  had.copy(bytes)
  let at = had.length
  while (at < length) {
    const { bytesRead } = await handle.read(bytes, at, length - at, at)
    if (bytesRead === 0) throw new RelayFault('bad_slide', 'DICOM: the file is cut off')
    at += bytesRead
  }
  return bytes
}
