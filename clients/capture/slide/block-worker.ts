import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { openSlide } from '../../../relay/slides/formats/open-slide.ts'
import { makePyramid } from '../../../relay/slides/formats/pyramid-maker.ts'
import { NodeAccess } from '../../../relay/runtime/node-access.ts'
import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import { BlockMaker } from './block-maker.ts'
import { NodeSlide } from './node-slide.ts'
import { WantedBlocks } from './wanted-blocks.ts'
import type { SlideReader } from '../../../relay/slides/formats/slide-reader.ts'
import type { NodeAccessOptions } from '../../../relay/runtime/node-access.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { SlideId } from '../../../relay/wire/ids.ts'
import type { BlockAddress } from './block-grid.ts'

/** Where a slide is. */
export type SlidePlace =
  | { readonly kind: 'file'; readonly path: string }
  /** In the store of a node. */
  | { readonly kind: 'node'; readonly node: NodeAccessOptions; readonly slideId: SlideId }

/** What is known of a slide once it is open. */
export type OpenedSlide = Pick<SlideReader, 'levels' | 'micronsPerPixel' | 'objectivePower'>

/** What the thread is told. Wanted blocks replace those that were wanted before. */
export type BlockOrder = { readonly want: readonly BlockAddress[] } | 'close'

/** What the thread says. */
export type BlockReply =
  | { readonly opened: OpenedSlide }
  | { readonly madeShare: number }
  | { readonly address: BlockAddress; readonly block: Uint8Array }
  | { readonly address: BlockAddress; readonly code: FaultCode }
  | { readonly failed: FaultCode; readonly message: string }

/** Blocks made at the same time: one is read while others are decoded. */
const AT_ONCE = 4

const port = parentPort
if (port === null) throw new Error('runs as a thread')
const say = (reply: BlockReply, transfer: readonly ArrayBuffer[] = []): void => port.postMessage(reply, transfer)
const closed = Promise.withResolvers<undefined>()
const wanted = new WantedBlocks(AT_ONCE)

/** A slide in a file gets the levels that it lacks; that of a node has them. */
async function open(place: SlidePlace, scope: AsyncDisposableStack): Promise<OpenedSlide & Pick<SlideReader, 'readTile'>> {
  if (place.kind === 'node') return NodeSlide.open({ access: new NodeAccess(place.node), slideId: place.slideId })
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-virtual-'))
  scope.defer(() => rm(directory, { recursive: true, force: true }))
  return scope.use(await makePyramid(await openSlide(place.path), { directory, onProgress: (done, all) => say({ madeShare: done / all }) }))
}

function work(maker: BlockMaker): void {
  for (let address = wanted.next(); address !== undefined; address = wanted.next()) void makeOne(maker, address)
}

async function makeOne(maker: BlockMaker, address: BlockAddress): Promise<void> {
  try {
    // The maker keeps its own for coarser ones.
    const block = Uint8Array.from(await maker.make(address))
    say({ address, block }, [block.buffer])
  } catch (error) {
    say({ address, code: toFault(error).code })
  }
  wanted.done(address)
  work(maker)
}

async function run(): Promise<void> {
  await using scope = new AsyncDisposableStack()
  const slide = await open(workerData as SlidePlace, scope)
  const maker = new BlockMaker(slide)
  port?.on('message', (order: BlockOrder) => {
    if (order === 'close') {
      closed.resolve(undefined)
      return
    }
    wanted.replace(order.want)
    work(maker)
  })
  const { levels, micronsPerPixel, objectivePower } = slide
  say({ opened: { levels, micronsPerPixel, objectivePower } })
  await closed.promise
}

try {
  await run()
} catch (error) {
  const fault = error instanceof RelayFault ? error : new RelayFault('bad_source', 'the slide cannot be opened', { cause: error })
  say({ failed: fault.code, message: fault.message })
}
// What is still under way holds the thread until it is done.
port.close()
