import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { t } from 'tap'
import { SMALL_SLIDE, writeSyntheticSlide } from '../../bench/slides/synthetic-slide.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { openPseudonymKey } from '../../relay/slides/deidentify/pseudonym.ts'
import { openSlide } from '../../relay/slides/formats/open-slide.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { SlideId } from '../../relay/wire/ids.ts'
import { NodePipeline } from './node-pipeline.ts'
import { PreparedFiles } from './prepared-files.ts'
import { loadScannerKey } from './scanner-key.ts'
import type { ChunkCarrier, PreparedLevel, SlideDoor, WantedChunks } from '../../relay/slides/transfer/transfer.ts'
import type { ScanJob, SlideProgress } from './scan-job.ts'

const NAME = 'YAMADA TARO 1957'
const slideId = SlideId.parse('5f0f1bc8-3cb7-4a38-9d6b-0bb1a2c5ad11')
const path = join(t.testdir(), `${NAME}.svs`)
await writeSyntheticSlide(path, { ...SMALL_SLIDE, width: 6000, height: 4000, quality: 80, planted: { description: { Patient: NAME }, tags: { 315: NAME }, label: NAME, tile: NAME } })
const job: ScanJob = { slideId, path, look: undefined, state: 'waiting', attempts: 0, fault: undefined, sent: { chunks: 0, chunksDone: 0, bytes: 0, bytesDone: 0 } }
const on = { progress: () => undefined, fault: () => undefined }
const { signal } = new AbortController()

/** A node in memory: keeps what it is told, and checks the names of chunks. */
class FakeNode implements SlideDoor, ChunkCarrier {
  readonly kind = 'https'
  readonly window = 4
  readonly chunks = new Map<string, Buffer>()
  readonly levels = new Map<number, PreparedLevel>()
  structure: Buffer | undefined
  heads: string[] = []
  wantedSquares: WantedChunks['squares'] = []
  readonly squares: Buffer[] = []
  puts = 0
  onPut = (): void => undefined

  async announce({ structureBytes }: { readonly structureBytes: Buffer }): Promise<void> {
    if (this.structure !== undefined && !this.structure.equals(structureBytes)) throw new RelayFault('conflict', 'another structure')
    this.structure = structureBytes
  }

  async putLevel(slideId: SlideId, level: PreparedLevel): Promise<Uint8Array> {
    const known = this.levels.get(level.level)
    if (known !== undefined && known.head !== level.head) throw new RelayFault('conflict', 'another head')
    this.levels.set(level.level, level)
    return this.missing(slideId, level.level)
  }

  async missing(_slideId: SlideId, level: number): Promise<Uint8Array> {
    const chunks = [...(this.levels.get(level)?.index.entries() ?? [])]
    const bitmap = new Uint8Array(Math.ceil(chunks.length / 8))
    for (const [index, { sha256 }] of chunks.entries()) if (!this.chunks.has(sha256)) bitmap[index >> 3]! |= 1 << (index & 7)
    return bitmap
  }

  wanted(_slideId: SlideId, after: number, aborted: AbortSignal): Promise<WantedChunks> {
    if (after === 0) return Promise.resolve({ serial: 1, chunks: [], squares: this.wantedSquares })
    return new Promise((_, reject) => aborted.addEventListener('abort', () => reject(aborted.reason as Error)))
  }

  async put(_slideId: SlideId, sha256: string, body: Buffer): Promise<'stored'> {
    this.onPut()
    t.equal(createHash('sha256').update(body).digest('hex'), sha256)
    this.puts++
    this.chunks.set(sha256, body)
    return 'stored'
  }

  async putSquare(_slideId: SlideId, message: Buffer): Promise<void> {
    this.squares.push(message)
  }

  async complete(_slideId: SlideId, head: string): Promise<void> {
    for (const { index } of this.levels.values()) for (const { sha256 } of index.entries()) if (!this.chunks.has(sha256)) throw new RelayFault('wrong_state', 'chunks are missing')
    this.heads.push(head)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held.
  }
}

async function openPipeline(stateDir: string) {
  const node = new FakeNode()
  const world = { node, stateDir, tilesRead: 0 }
  const pipeline = new NodePipeline({
    open: async file => {
      const reader = await openSlide(file)
      const read = reader.readTile.bind(reader)
      reader.readTile = (level, column, row) => {
        world.tilesRead++
        return read(level, column, row)
      }
      const readMany = reader.readTiles?.bind(reader)
      if (readMany !== undefined) reader.readTiles = (level, positions) => {
        world.tilesRead += positions.length
        return readMany(level, positions)
      }
      return reader
    },
    files: new PreparedFiles(stateDir), key: await loadScannerKey(stateDir), pseudonymKey: await openPseudonymKey(join(stateDir, 'pseudonym-key')),
    keep: [], door: node, carrier: node, clock: systemClock,
  })
  return Object.assign(world, { pipeline })
}

t.test('a slide arrives whole, with progress, and no name leaves or is kept', async t => {
  const { node, pipeline, stateDir } = await openPipeline(t.testdir())
  node.wantedSquares = [{ level: 0, square: 0 }]
  const seen: SlideProgress[] = []
  await pipeline.send(job, { ...on, progress: progress => seen.push(progress) }, signal)
  t.equal(node.heads.length, 1)
  t.match(seen.at(-1), { stage: 'sending', sent: { chunksDone: node.chunks.size } })
  t.equal(seen.at(-1)?.tilesDone, seen.at(-1)?.tiles)
  t.equal(node.squares.length, 1, 'what somebody looks at goes ahead of its level')
  const left = Buffer.concat([node.structure!, ...node.squares, ...node.chunks.values(), ...[...node.levels.values()].map(({ indexBytes }) => indexBytes)])
  t.ok(readFileSync(path).includes(NAME), 'the file has it')
  for (const word of NAME.split(' ')) t.notOk(left.includes(word), word)
  for (const file of readdirSync(join(stateDir, 'prepared', slideId))) t.notOk(readFileSync(join(stateDir, 'prepared', slideId, file)).includes('YAMADA'), file)
  await pipeline.forget(slideId)
  t.same(readdirSync(join(stateDir, 'prepared')), [])
})

t.test('after an interruption what was prepared is not read again, and what arrived is not sent again', async t => {
  const folder = t.testdir({ first: {}, whole: {} })
  const first = await openPipeline(join(folder, 'first'))
  const stop = new AbortController()
  first.node.onPut = () => {
    if (first.node.levels.size >= 2 && first.node.puts >= 3) stop.abort(new RelayFault('unavailable', 'interrupted'))
  }
  await t.rejects(first.pipeline.send(job, on, stop.signal))
  t.equal(first.node.heads.length, 0)
  const files = readdirSync(join(first.stateDir, 'prepared', slideId)).filter(name => name.endsWith('.index'))
  t.ok(files.length >= 2)
  const second = await openPipeline(first.stateDir)
  for (const [name, chunk] of first.node.chunks) second.node.chunks.set(name, chunk)
  second.node.structure = first.node.structure
  for (const [level, prepared] of first.node.levels) second.node.levels.set(level, prepared)
  await second.pipeline.send(job, on, signal)
  t.equal(second.node.heads.length, 1)
  t.equal(second.node.puts, second.node.chunks.size - first.node.chunks.size)
  const whole = await openPipeline(join(folder, 'whole'))
  await whole.pipeline.send(job, on, signal)
  t.same([...second.node.chunks.keys()].sort(), [...whole.node.chunks.keys()].sort())
  t.ok(second.tilesRead < whole.tilesRead, `${second.tilesRead} tiles were read, ${whole.tilesRead} without what was kept`)
})

t.test('what is no slide is told from what is', async t => {
  const { pipeline } = await openPipeline(t.testdir())
  await pipeline.probe(path)
  await t.rejects(pipeline.probe(import.meta.filename), { code: 'unsupported_slide' })
})
