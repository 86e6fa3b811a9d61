import { Counter, Gauge, Histogram } from 'prom-client'
import { toFault } from '../../relay/wire/fault.ts'
import type { CommittedBatch } from '../../relay/slides/store/chunk-committer.ts'
import type { SlideStore } from '../../relay/slides/store/slide-store.ts'
import type { Registry } from 'prom-client'

/** The metrics of a node's slides. `docs/METRICS.md` lists them; a test compares the two. */
export class SlideMetrics {
  readonly chunks
  readonly squares
  readonly arrivedBytes
  readonly tiles
  readonly #commitChunks
  readonly #commitSeconds
  readonly verified
  readonly defects
  readonly #storedBytes
  readonly #storedChunks
  readonly #quotaBytes

  constructor(registry: Registry) {
    const registers = [registry]
    this.chunks = new Counter({
      name: 'kenkyo_slide_chunks_total', help: 'Chunks of slides that scanners sent, by link or HTTP, by stored, known, or the fault code they were refused with.', labelNames: ['outcome'] as const, registers,
    })
    this.squares = new Counter({
      name: 'kenkyo_slide_squares_total', help: 'Squares of tiles that came ahead of their levels, by stored, known, contradicted, or the fault code they were refused with.', labelNames: ['outcome'] as const, registers,
    })
    this.arrivedBytes = new Counter({ name: 'kenkyo_slide_arrived_bytes_total', help: 'Bytes of chunks that were stored, from whatever carrier.', registers })
    this.tiles = new Histogram({
      name: 'kenkyo_slide_tile_duration_seconds', help: 'From a tile request routed to its bytes handed over for sending, by ok or fault code.',
      labelNames: ['outcome'] as const, buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1], registers,
    })
    this.#commitChunks = new Histogram({
      name: 'kenkyo_slide_commit_chunks', help: 'Chunks that one commit to the disk took together.', buckets: [1, 2, 4, 8, 16, 32, 64, 128], registers,
    })
    this.#commitSeconds = new Histogram({
      name: 'kenkyo_slide_commit_duration_seconds', help: 'From the turn of a commit to its chunks being durable and findable.', buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5], registers,
    })
    this.verified = new Counter({ name: 'kenkyo_slide_verified_chunks_total', help: 'Chunks that verification passes have read again and compared with their names.', registers })
    this.defects = new Counter({ name: 'kenkyo_slide_defects_total', help: 'Chunks that verification passes found missing or damaged; each counts as not here from then on.', labelNames: ['defect'] as const, registers })
    this.#storedBytes = new Gauge({ name: 'kenkyo_slide_bytes', help: 'Bytes of chunks in the store.', registers })
    this.#storedChunks = new Gauge({ name: 'kenkyo_slide_chunks', help: 'Distinct chunks in the store.', registers })
    this.#quotaBytes = new Gauge({ name: 'kenkyo_slide_quota_bytes', help: 'Bytes that the store may hold.', registers })
  }

  /** Counts what becomes of a square. @throws What `put` throws. */
  async countSquare(put: () => Promise<'stored' | 'known'>): Promise<'stored' | 'known'> {
    try {
      const outcome = await put()
      this.squares.inc({ outcome })
      return outcome
    } catch (error) {
      this.squares.inc({ outcome: toFault(error).code })
      throw error
    }
  }

  /** Takes a group commit of the store. */
  committed({ chunks, duration }: CommittedBatch): void {
    this.#commitChunks.observe(chunks)
    this.#commitSeconds.observe(duration / 1000)
  }

  /** Takes the gauges that are true at the moment of a scrape. */
  read(store: Pick<SlideStore, 'usage'>): void {
    const { bytes, chunks, quotaBytes } = store.usage()
    this.#storedBytes.set(bytes)
    this.#storedChunks.set(chunks)
    this.#quotaBytes.set(quotaBytes)
  }
}
