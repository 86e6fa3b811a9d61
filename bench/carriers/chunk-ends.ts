import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { LinkCarrier } from '../../relay/slides/transfer/link-carrier.ts'
import { SlideId } from '../../relay/wire/ids.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { LinkReceiver } from '../../sfu/slides/link-receiver.ts'
import type { LinkTransport } from '../../relay/links/link-transport.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Sha256 } from '../../relay/wire/ids.ts'
import type { ChunkLink } from '../../relay/slides/transfer/link-carrier.ts'

const SLIDE = SlideId.parse('7a1c4f0e-5d1b-4c55-9d8e-0f6b5a3c2d10')
const CHUNK_BYTES = 512 * 1024
const PUMP_INTERVAL_MILLIS = 20

const sha256Of = (body: Buffer): Sha256 => createHash('sha256').update(body).digest('hex') as Sha256

/** The sending end of chunks on a link that carries live video as well: as many as the carrier's window allows. */
export class ChunkFeed {
  readonly #carrier: LinkCarrier
  readonly #timer: NodeJS.Timeout
  readonly #stop = new AbortController()
  #heard: Parameters<ChunkLink['listen']>[0] | undefined
  #underWay = 0
  #next = 0

  constructor({ endpoint, ...rest }: Pick<LinkTransport, 'endpoint'> & { readonly send: (message: Buffer) => number | undefined }, clock: Clock) {
    this.#carrier = new LinkCarrier(
      {
        send: rest.send,
        get rate() {
          return endpoint.capacityFor('bulk')
        },
        get waitingBytes() {
          return endpoint.messages.bulk.out.queue.waitingBytes
        },
        listen: listener => (this.#heard = listener),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      },
      clock,
    )
    this.#timer = setInterval(() => this.#pump(), PUMP_INTERVAL_MILLIS)
    this.#pump()
  }

  /** A message of the class `bulk` arrived at the far end. */
  arrived(ticket: number): void {
    this.#heard?.arrived(ticket)
  }

  /** A message of the class `control` came. */
  control(message: Buffer): void {
    this.#heard?.control(message)
  }

  /** Begins no more chunks, and forgets those under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stop.abort(new RelayFault('unavailable', 'stopped'))
    await this.#carrier[Symbol.asyncDispose]()
  }

  #pump(): void {
    while (!this.#stop.signal.aborted && this.#underWay < this.#carrier.window) {
      const chunk = Buffer.alloc(CHUNK_BYTES, 0x5a)
      chunk.writeUInt32BE(this.#next++)
      this.#underWay++
      const done = (): void => {
        this.#underWay--
        this.#pump()
      }
      this.#carrier.put(SLIDE, sha256Of(chunk), chunk, this.#stop.signal).then(done, done)
    }
  }
}

/** The receiving end: hashes every chunk, writes it to a file and syncs that, several at a time. */
export async function openChunkStore(path: string, send: (message: Buffer) => boolean, onStored: (bytes: number) => void): Promise<LinkReceiver> {
  const file = await open(path, 'w')
  let waiting: { readonly body: Buffer; readonly done: (outcome: 'stored') => void; readonly failed: (cause: unknown) => void }[] = []
  let isCommitting = false
  const commit = async (): Promise<void> => {
    isCommitting = true
    for (let batch = waiting; batch.length > 0; batch = waiting) {
      waiting = []
      try {
        // Always at the beginning: it is the time that counts, not what is kept.
        await file.writev(batch.map(({ body }) => body), 0)
        await file.datasync()
        for (const { body, done } of batch) {
          onStored(body.length)
          done('stored')
        }
      } catch (cause) {
        for (const { failed } of batch) failed(cause)
      }
    }
    isCommitting = false
  }
  const putChunk = (_slideId: SlideId, sha256: Sha256, body: Buffer): Promise<'stored'> =>
    new Promise((done, failed) => {
      if (sha256Of(body) !== sha256) {
        failed(new RelayFault('hash_mismatch', 'the bytes are not those of the chunk'))
        return
      }
      waiting.push({ body, done, failed })
      if (!isCommitting) void commit()
    })
  return new LinkReceiver({ putChunk, putSquare: () => Promise.reject(new RelayFault('not_found', 'no slide is here')) }, send, error => process.stderr.write(`${String(error)}\n`))
}
