import { open, rename, rm } from 'node:fs/promises'
import { setImmediate as yieldToEvents } from 'node:timers/promises'
import { drawTissue } from '../../clients/capture/tissue.ts'

/** Lines drawn at a time. */
const BAND_LINES = 64

/** A field, larger than the image, that a stage moves under it. */
export interface FieldSize {
  readonly width: number
  readonly height: number
}

/**
 * Draws a field into a file of packed RGB lines.
 *
 * @param onProgress - Called with the share that is done, from 0 to 1.
 */
export async function drawField(path: string, size: FieldSize, onProgress: (share: number) => void, signal: AbortSignal): Promise<void> {
  const unfinished = `${path}.unfinished`
  const file = await open(unfinished, 'w')
  try {
    for (let top = 0; top < size.height; top += BAND_LINES) {
      const bottom = Math.min(top + BAND_LINES, size.height)
      await file.appendFile(drawTissue(size.width, top, bottom))
      onProgress(bottom / size.height)
      // Drawing keeps the processor; a signal needs a moment to be heard.
      await yieldToEvents()
      signal.throwIfAborted()
    }
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  } finally {
    await file.close()
  }
  await rename(unfinished, path)
}
