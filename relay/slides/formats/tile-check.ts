import { RelayFault } from '../../wire/fault.ts'
import { jpegFrame } from '../../wire/tile-jpeg.ts'
import type { SlideLevel } from '../../wire/slide.ts'

/** Frames that browsers and libjpeg decode: baseline, extended, progressive. */
const JPEG_FRAMES = new Set([0xc0, 0xc1, 0xc2])
/** SOC and SIZ. @see ITU-T T.800 annex A */
const CODESTREAM = 0xff4f_ff51

/**
 * Checks that a tile is what its level says: of that compression and exactly that size. A header that claims 65,535²
 * pixels would make whoever decodes it run out of memory.
 *
 * @throws {RelayFault} `bad_slide` when it is not; `unsupported_slide` for a kind of JPEG or JPEG 2000 that viewers do not decode.
 */
export function checkTile(tile: Uint8Array, { encoding, tileWidth, tileHeight }: Pick<SlideLevel, 'encoding' | 'tileWidth' | 'tileHeight'>): void {
  const { width, height, components } = encoding.compression === 'jpeg' ? readJpeg(tile) : readCodestream(tile)
  if (width !== tileWidth || height !== tileHeight) throw new RelayFault('bad_slide', 'a tile of another size than its level says')
  if (components !== (encoding.photometric === 'grey' ? 1 : 3)) throw new RelayFault('bad_slide', 'a tile of other colours than its level says')
}

interface Size {
  readonly width: number
  readonly height: number
  readonly components: number
}

function readJpeg(tile: Uint8Array): Size {
  const frame = jpegFrame(tile)
  if (!JPEG_FRAMES.has(frame.marker) || frame.precision !== 8) throw new RelayFault('unsupported_slide', 'a kind of JPEG that viewers do not show')
  return frame
}

/** The image and tile size segment of a JPEG 2000 codestream. @see ITU-T T.800 section A.5.1 */
function readCodestream(tile: Uint8Array): Size {
  const view = new DataView(tile.buffer, tile.byteOffset, tile.byteLength)
  if (view.byteLength < 43 || view.getUint32(0) !== CODESTREAM) throw new RelayFault('bad_slide', 'not a JPEG 2000 codestream')
  const components = view.getUint16(40)
  // Seven bits of depth less one, and the sign.
  if (view.getUint8(42) !== 7) throw new RelayFault('unsupported_slide', 'samples of more than 8 bits')
  return { width: view.getUint32(8) - view.getUint32(16), height: view.getUint32(12) - view.getUint32(20), components }
}
