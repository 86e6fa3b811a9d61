import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { RandomAccessFile } from './random-access-file.ts'
import type { FileHandle } from 'node:fs/promises'

const MAGIC = 0x6b6d_7431
const FOOTER_BYTES = 16
const FILE_NAME = 'made-levels'

/** Tiles that were made, one after the other in a file: their bytes, their lengths (32 bits each), and a footer that says where the lengths begin. */
export class MadeTiles implements AsyncDisposable {
  readonly #file: RandomAccessFile
  readonly #offsets: Float64Array

  private constructor(file: RandomAccessFile, offsets: Float64Array) {
    this.#file = file
    this.#offsets = offsets
  }

  /** The finished file of an earlier run; undefined if there is none of so many tiles. */
  static async find(directory: string, tiles: number): Promise<MadeTiles | undefined> {
    await using scope = new AsyncDisposableStack()
    let file: RandomAccessFile
    try {
      file = scope.use(await RandomAccessFile.open(join(directory, FILE_NAME)))
    } catch {
      // There is none, or none that can be read: it is made.
      return undefined
    }
    const tableBytes = 4 * tiles
    if (file.size < tableBytes + FOOTER_BYTES) return undefined
    const table = await file.read(file.size - FOOTER_BYTES - tableBytes, tableBytes)
    const footer = await file.read(file.size - FOOTER_BYTES, FOOTER_BYTES)
    const offsets = new Float64Array(tiles + 1)
    for (let tile = 0; tile < tiles; tile++) offsets[tile + 1] = (offsets[tile] ?? 0) + table.readUInt32BE(4 * tile)
    const isWhole = footer.readUInt32BE(0) === MAGIC && footer.readUInt32BE(4) === tiles && footer.readDoubleBE(8) === offsets[tiles] && offsets[tiles] === file.size - FOOTER_BYTES - tableBytes
    if (!isWhole) return undefined
    scope.move()
    return new MadeTiles(file, offsets)
  }

  /** @param index - In the order they were written. */
  read(index: number): Promise<Buffer> {
    const [start, end] = [this.#offsets[index] ?? 0, this.#offsets[index + 1] ?? 0]
    return this.#file.read(start, end - start)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]()
  }
}

/** Writes made tiles; what was written can be read while more is. The file has its name only when it is whole. */
export class MadeTilesWriter implements AsyncDisposable {
  readonly #handle: FileHandle
  readonly #directory: string
  readonly #path: string
  readonly #lengths: number[] = []
  readonly #starts: number[] = []
  #end = 0
  #isKept = false

  private constructor(handle: FileHandle, directory: string, path: string) {
    this.#handle = handle
    this.#directory = directory
    this.#path = path
  }

  /** Begins anew. */
  static async open(directory: string): Promise<MadeTilesWriter> {
    const path = join(directory, `${FILE_NAME}.part`)
    return new MadeTilesWriter(await open(path, 'w+', 0o600), directory, path)
  }

  async write(tile: Buffer): Promise<void> {
    await this.#write(tile)
    this.#starts.push(this.#end - tile.length)
    this.#lengths.push(tile.length)
  }

  /** @param index - In the order they were written. */
  async read(index: number): Promise<Buffer> {
    const tile = Buffer.allocUnsafe(this.#lengths[index] ?? 0)
    const start = this.#starts[index] ?? 0
    for (let done = 0; done < tile.length;) {
      const { bytesRead } = await this.#handle.read(tile, done, tile.length - done, start + done)
      if (bytesRead === 0) throw new Error('made tiles became fewer')
      done += bytesRead
    }
    return tile
  }

  /** Makes the file whole and gives it its name. */
  async finish(): Promise<void> {
    const tiles = this.#lengths.length
    const tail = Buffer.alloc(4 * tiles + FOOTER_BYTES)
    for (const [tile, length] of this.#lengths.entries()) tail.writeUInt32BE(length, 4 * tile)
    tail.writeUInt32BE(MAGIC, 4 * tiles)
    tail.writeUInt32BE(tiles, 4 * tiles + 4)
    tail.writeDoubleBE(this.#end, 4 * tiles + 8)
    await this.#write(tail)
    await this.#handle.sync()
    await rename(this.#path, join(this.#directory, FILE_NAME))
    this.#isKept = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
    if (!this.#isKept) await rm(this.#path, { force: true })
  }

  async #write(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length;) done += (await this.#handle.write(bytes, done, bytes.length - done, this.#end + done)).bytesWritten
    this.#end += bytes.length
  }
}
