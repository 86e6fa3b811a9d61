import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { RelayFault } from '../../wire/fault.ts'
import { openDicomSlide } from './dicom-slide.ts'
import { openForeignSlide } from './foreign-slide.ts'
import { RandomAccessFile } from './random-access-file.ts'
import { isTiff } from './tiff-file.ts'
import { openTiffSlide } from './tiff-slide.ts'
import type { ForeignSlideOptions } from './foreign-slide.ts'
import type { SlideReader } from './slide-reader.ts'

/** Enough to tell formats apart: DICOM's prefix stands after 128 bytes. @see PS3.10 section 7.1 */
const HEAD_BYTES = 132

/** What a file is by its first bytes. */
export type FileKind = 'tiff' | 'dicom' | 'other'

/** Tells a file by its beginning. @param head - The first 132 bytes, or all there are. */
export function kindOfFile(head: Buffer): FileKind {
  if (head.length >= HEAD_BYTES && head.toString('latin1', 128, HEAD_BYTES) === 'DICM') return 'dicom'
  return isTiff(head) ? 'tiff' : 'other'
}

/**
 * Opens a slide of any kind: Aperio, OME or generic tiled TIFF; DICOM, as a directory of instances or one of its files;
 * all else, also variants of TIFF and images that cannot be handed on as they are, through OpenSlide, see `openForeignSlide`.
 *
 * @throws {RelayFault} `bad_slide` for a broken file; `unsupported_slide` for one that no reader knows.
 */
export async function openSlide(path: string, foreign: ForeignSlideOptions = {}): Promise<SlideReader> {
  if ((await stat(path)).isDirectory()) return openDicomSlide(path)
  switch (kindOfFile(await headOf(path))) {
    case 'dicom':
      return openDicomSlide(path)
    case 'tiff':
      return openTiff(path, foreign)
    case 'other':
      return openForeignSlide(path, foreign)
  }
}

async function openTiff(path: string, foreign: ForeignSlideOptions): Promise<SlideReader> {
  // Beyond 4 GiB the offsets of an NDPI file are no TIFF's, and its mark cannot be found.
  if (extname(path).toLowerCase() === '.ndpi') return openForeignSlide(path, foreign)
  try {
    return await openTiffSlide(path)
  } catch (thrown) {
    if (!(thrown instanceof RelayFault) || thrown.code !== 'unsupported_slide') throw thrown
    return await openForeignSlide(path, foreign)
  }
}

async function headOf(path: string): Promise<Buffer> {
  await using file = await RandomAccessFile.open(path)
  return await file.read(0, Math.min(HEAD_BYTES, file.size))
}
