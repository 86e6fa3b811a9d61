/** The thread that makes the PNG of a still: it takes seconds, and the process that keeps stills also carries live pictures. */
import { open, rename, rm, writeFile } from 'node:fs/promises'
import { parentPort, workerData } from 'node:worker_threads'
import sharp from 'sharp'
import { toStorageFault } from '../../relay/slides/store/storage-fault.ts'
import { convertLines } from './still-colours.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'

/** What the thread is told. */
export interface StillPngTask {
  readonly planesPath: string
  readonly pngPath: string
  readonly width: number
  readonly height: number
}

/** What the thread tells when there is no PNG. */
export interface StillPngFailure {
  readonly failed: FaultCode
}

/** Lines of the picture that are converted at once; even. */
const STRIP_LINES = 64
/** Twice the size of the slowest level, in a third of the time; a still is looked at soon. */
const COMPRESSION_LEVEL = 3

async function readFully(file: Awaited<ReturnType<typeof open>>, into: Uint8Array, position: number): Promise<void> {
  const { bytesRead } = await file.read(into, 0, into.length, position)
  if (bytesRead !== into.length) throw new Error('the planes are shorter than their frame')
}

async function makePng({ planesPath, pngPath, width, height }: StillPngTask): Promise<void> {
  const rgb = Buffer.allocUnsafeSlow(width * height * 3)
  {
    await using file = await open(planesPath, 'r')
    for (let top = 0; top < height; top += STRIP_LINES) {
      const lines = Math.min(STRIP_LINES, height - top)
      const luma = new Uint8Array(width * lines)
      const [cb, cr] = [new Uint8Array((width * lines) / 4), new Uint8Array((width * lines) / 4)]
      await readFully(file, luma, top * width)
      await readFully(file, cb, width * height + (top * width) / 4)
      await readFully(file, cr, (width * height * 5) / 4 + (top * width) / 4)
      convertLines({ luma, cb, cr, width }, rgb.subarray(top * width * 3, (top + lines) * width * 3))
    }
  }
  // Into memory: what libvips says of a disk that is full has no code.
  const png = await sharp(rgb, { raw: { width, height, channels: 3 }, limitInputPixels: false }).png({ compressionLevel: COMPRESSION_LEVEL }).toBuffer()
  const draft = `${pngPath}.part`
  try {
    await writeFile(draft, png, { mode: 0o600, flush: true })
    await rename(draft, pngPath)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

if (parentPort === null) throw new Error('runs as a worker thread only')
try {
  await makePng(workerData as StillPngTask)
} catch (error) {
  const { code } = toStorageFault(error)
  if (code === 'internal') throw error
  parentPort.postMessage({ failed: code } satisfies StillPngFailure)
}
