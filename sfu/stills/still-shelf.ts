import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toStorageFault } from '../../relay/slides/store/storage-fault.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { StillId } from '../../relay/wire/ids.ts'
import { planeBytes, StillSidecar } from '../../relay/wire/still.ts'
import type { Sha256 } from '../../relay/wire/ids.ts'
import type { StillSummary } from '../../relay/wire/still.ts'

/** Files of one still. */
export const STILL_FILES = { planes: 'planes.yuv', png: 'still.png', sidecar: 'sidecar.json' } as const
/** While it comes. */
const PART = 'planes.part'

/** What planes must be. */
export interface ExpectedPlanes {
  readonly byteLength: number
  readonly sha256: Sha256
}

/** What a {@link StillShelf} asks before it writes. */
export interface StillRoom {
  /** @throws {RelayFault} `quota_exceeded`. */
  take(bytes: number): void
  giveBack(bytes: number): void
}

/** A still as the disk has it: planes, PNG and sidecar. An uncompressed frame takes as much as both, so that much is reckoned for each. */
export const stillRoomBytes = (image: Parameters<typeof planeBytes>[0]): number => 2 * planeBytes(image)

/** The stills of one consultation on disk: a directory for each. A still is there once its sidecar is. */
export class StillShelf {
  readonly #directory: string
  readonly #room: StillRoom

  /** @param directory - Made when the first still comes. */
  constructor(directory: string, room: StillRoom) {
    this.#directory = directory
    this.#room = room
  }

  /** All that are whole. */
  async list(): Promise<readonly StillSidecar[]> {
    const names = await readdir(this.#directory).catch(absent(() => [] as string[]))
    const sidecars = await Promise.all(names.map(name => this.#readWhole(name)))
    return sidecars.filter(sidecar => sidecar !== undefined)
  }

  /** @throws {RelayFault} `not_found`. */
  async sidecar(stillId: StillId): Promise<StillSidecar> {
    const sidecar = await this.#readWhole(stillId)
    if (sidecar === undefined) throw new RelayFault('not_found', 'no such still')
    return sidecar
  }

  /** Path of a file of a still, there or not. */
  path(stillId: StillId, file: keyof typeof STILL_FILES): string {
    return join(this.#directory, stillId, STILL_FILES[file])
  }

  /**
   * Writes planes as they come. They are durable when this resolves, and no still yet: {@link keep} makes them one.
   *
   * @throws {RelayFault} `bad_message` for another length, `hash_mismatch`, `quota_exceeded`, `storage_full`; what the body throws. Then nothing stays.
   */
  async receive(stillId: StillId, body: AsyncIterable<Uint8Array>, { byteLength, sha256 }: ExpectedPlanes): Promise<void> {
    const room = 2 * byteLength
    this.#room.take(room)
    const directory = join(this.#directory, stillId)
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const part = join(directory, PART)
      const digest = await writePlanes(part, body, byteLength)
      if (digest !== sha256) throw new RelayFault('hash_mismatch', 'the planes are not those that were announced')
      await rename(part, this.path(stillId, 'planes'))
    } catch (error) {
      await rm(directory, { recursive: true, force: true })
      this.#room.giveBack(room)
      throw toStorageFault(error)
    }
  }

  /** Makes planes that were received a still. Durable when it resolves. @throws {RelayFault} `storage_full`; then nothing stays. */
  async keep(sidecar: StillSidecar): Promise<void> {
    const directory = join(this.#directory, sidecar.stillId)
    try {
      const path = this.path(sidecar.stillId, 'sidecar')
      await writeFile(`${path}.part`, `${JSON.stringify(sidecar, undefined, 2)}\n`, { mode: 0o600, flush: true })
      await rename(`${path}.part`, path)
      await syncDirectory(directory)
      await syncDirectory(this.#directory)
    } catch (error) {
      await rm(directory, { recursive: true, force: true })
      this.#room.giveBack(stillRoomBytes(sidecar.image))
      throw toStorageFault(error)
    }
  }

  async #readWhole(name: string): Promise<StillSidecar | undefined> {
    const stillId = StillId.safeParse(name)
    if (!stillId.success) return undefined
    const text = await readFile(this.path(stillId.data, 'sidecar'), 'utf8').catch(absent(() => undefined))
    return text === undefined ? undefined : StillSidecar.safeParse(parsed(text)).data
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A disk that was damaged: one still less, and no other with it.
    return undefined
  }
}

/** @returns SHA-256 of what was written, hexadecimal. */
async function writePlanes(path: string, body: AsyncIterable<Uint8Array>, byteLength: number): Promise<string> {
  await using file = await open(path, 'w', 0o600)
  const hash = createHash('sha256')
  let written = 0
  for await (const piece of body) {
    if (written + piece.length > byteLength) throw new RelayFault('bad_message', 'there is more than a frame')
    await file.writeFile(piece)
    hash.update(piece)
    written += piece.length
  }
  if (written !== byteLength) throw new RelayFault('bad_message', 'there is less than a frame')
  await file.sync()
  return hash.digest('hex')
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r')
  await directory.sync()
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/** For `catch`: what is not there is nothing, and a file has nothing in it. */
const absent = <Value>(otherwise: () => Value) => (error: unknown): Value => {
  if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return otherwise()
  throw error
}

/**
 * What the shelves below a directory hold, as they reckon it; takes away what an earlier process left half done.
 *
 * @param consultations - The directory with one directory for each consultation, which has a shelf in `stills`.
 */
export async function surveyShelves(consultations: string): Promise<number> {
  let sum = 0
  for (const consultation of await readdir(consultations).catch(absent(() => [] as string[]))) {
    const shelf = join(consultations, consultation, 'stills')
    for (const name of await readdir(shelf).catch(absent(() => [] as string[]))) {
      const isWhole = await stat(join(shelf, name, STILL_FILES.sidecar)).then(() => true, absent(() => false))
      if (isWhole) sum += 2 * (await stat(join(shelf, name, STILL_FILES.planes)).then(({ size }) => size, absent(() => 0)))
      else await rm(join(shelf, name), { recursive: true, force: true })
    }
  }
  return sum
}

/** How one that is on disk is told to members. */
export const summaryOf = ({ stillId, publicationId, rtpTimestamp, keptBy, keptAt, origin, missing }: StillSidecar): StillSummary => ({
  stillId, publicationId, rtpTimestamp, keptBy, askedAtMillis: Date.parse(keptAt), state: 'kept', origin, missingTiles: missing.length, fault: null,
})
