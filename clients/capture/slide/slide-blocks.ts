import { Worker } from 'node:worker_threads'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Logger } from '../../../relay/runtime/log.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { BlockAddress } from './block-grid.ts'
import type { BlockOrder, BlockReply, OpenedSlide, SlidePlace } from './block-worker.ts'
import type { BlockSupply } from './slide-specimen.ts'

/** Blocks that could not be made are asked for again, and logged, so often. */
const RETRY_AFTER = millis(1000)
const PROGRESS_INTERVAL = millis(2000)

/** What {@link SlideBlocks} tells. */
export interface BlockListener {
  onBlock(address: BlockAddress, block: Uint8Array): void
  /** A block could not be made now. It is tried again. */
  onMissed(code: FaultCode): void
}

/** A slide opened on a thread of its own, which reads and decodes what is wanted of it. */
export class SlideBlocks implements BlockSupply, AsyncDisposable {
  readonly slide: OpenedSlide
  readonly #worker: Worker
  readonly #log: Logger
  readonly #gone: Promise<unknown>
  #listener: BlockListener | undefined
  #last: readonly BlockAddress[] = []
  #retry: NodeJS.Timeout | undefined
  /** Blocks that could not be made since the last line of the log, by reason. */
  readonly #failed = new Map<FaultCode, number>()
  #isClosing = false

  private constructor(worker: Worker, slide: OpenedSlide, gone: Promise<unknown>, log: Logger) {
    this.#worker = worker
    this.slide = slide
    this.#gone = gone
    this.#log = log
    worker.on('message', (reply: BlockReply) => this.#hear(reply))
    worker.on('error', error => log.error({ err: error }, 'the thread that reads the slide failed'))
    void gone.then(() => {
      if (this.#isClosing) return
      log.error({ code: 'internal' }, 'the thread that reads the slide ended: it is shown no finer than it is')
      this.#listener?.onMissed('internal')
    })
  }

  /** @throws {RelayFault} `bad_slide`, `unsupported_slide`; `not_found` and `grant_refused` of a node; `bad_source` for a file that cannot be read. */
  static async open(place: SlidePlace, log: Logger): Promise<SlideBlocks> {
    const worker = new Worker(new URL('./block-worker.ts', import.meta.url), { workerData: place })
    const gone = new Promise(resolve => worker.once('exit', resolve))
    const opened = Promise.withResolvers<OpenedSlide>()
    let nextLineAt = performance.now() + PROGRESS_INTERVAL
    const hear = (reply: BlockReply): void => {
      if ('opened' in reply) opened.resolve(reply.opened)
      if ('failed' in reply) opened.reject(new RelayFault(reply.failed, reply.message))
      if (!('madeShare' in reply) || performance.now() < nextLineAt) return
      nextLineAt = performance.now() + PROGRESS_INTERVAL
      log.info({ percent: Math.round(100 * reply.madeShare) }, 'making the levels that the slide lacks')
    }
    worker.on('message', hear)
    worker.on('error', cause => opened.reject(new RelayFault('internal', 'the thread that reads the slide failed', { cause })))
    void gone.then(() => opened.reject(new RelayFault('internal', 'the thread that reads the slide ended')))
    try {
      return new SlideBlocks(worker, await opened.promise, gone, log)
    } finally {
      worker.off('message', hear)
    }
  }

  /** Says who gets the blocks. Before the first {@link want}. */
  listen(listener: BlockListener): void {
    this.#listener = listener
  }

  want(blocks: readonly BlockAddress[]): void {
    this.#last = blocks
    this.#tell({ want: blocks })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true
    clearTimeout(this.#retry)
    this.#tell('close')
    await this.#gone
  }

  #tell(order: BlockOrder): void {
    this.#worker.postMessage(order)
  }

  #hear(reply: BlockReply): void {
    if ('block' in reply) this.#listener?.onBlock(reply.address, reply.block)
    else if ('address' in reply) this.#missed(reply.code)
  }

  #missed(code: FaultCode): void {
    this.#listener?.onMissed(code)
    this.#failed.set(code, (this.#failed.get(code) ?? 0) + 1)
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined
      for (const [reason, blocks] of this.#failed) this.#log.warn({ code: reason, blocks }, 'parts of the slide cannot be shown in full detail')
      this.#failed.clear()
      this.want(this.#last)
    }, RETRY_AFTER)
  }
}
