import { exportJWK, generateKeyPair } from 'jose'
import { t } from 'tap'
import { systemClock } from '../../runtime/clock.ts'
import { RelayFault } from '../../wire/fault.ts'
import { SlideId } from '../../wire/ids.ts'
import { millis } from '../../wire/units.ts'
import { openSigningKey, verifySquareHead } from '../manifest/heads.ts'
import { SlidePreparation } from '../manifest/slide-preparation.ts'
import { decodeSquare } from '../manifest/square-message.ts'
import { SlideSender } from './slide-sender.ts'
import type { FaultCode } from '../../wire/fault.ts'
import type { SlideLevel } from '../../wire/slide.ts'
import type { ChunkCarrier, SlideDoor } from './transfer.ts'

const encoding = { compression: 'jpeg', photometric: 'ycbcr', tables: '' } as const
const shape = (width: number, height: number): SlideLevel => ({ width, height, tileWidth: 256, tileHeight: 256, encoding, isMade: false })
const key = await openSigningKey(await exportJWK((await generateKeyPair('EdDSA', { extractable: true })).privateKey))
const slideId = SlideId.parse('5f0f1bc8-3cb7-4a38-9d6b-0bb1a2c5ad11')
const signal = new AbortController().signal

function prepare(readTile = (level: number, { column, row }: { column: number; row: number }): Promise<Buffer> => Promise.resolve(Buffer.alloc(30_000, `${level}/${column}/${row}`))) {
  const structure = { version: 1, slideId, format: 'tiff', pseudonym: 'ABCD-1234', micronsPerPixel: null, objectivePower: null, levels: [shape(4000, 3000), shape(1000, 750)], removed: [] } as const
  return new SlidePreparation({ structure: { ...structure, levels: [...structure.levels], removed: [] }, key, tiles: { readTile, [Symbol.asyncDispose]: () => Promise.resolve() } })
}

/** A far end in memory. `fail` may throw at every call, by its name. */
function farEnd(fail: (call: string) => void = () => undefined) {
  const calls: string[] = []
  const here = new Set<string>()
  const squares: Buffer[] = []
  const names = new Map<number, string[]>()
  const call = async (name: string): Promise<void> => {
    calls.push(name)
    fail(name)
  }
  const missing = (level: number): Uint8Array => {
    const bitmap = new Uint8Array(Math.ceil(names.get(level)!.length / 8))
    for (const [chunk, name] of names.get(level)!.entries()) if (!here.has(name)) bitmap[chunk >> 3]! |= 1 << (chunk & 7)
    return bitmap
  }
  const door: SlideDoor = {
    announce: () => call('announce'),
    putLevel: async (_id, { level, index }) => {
      await call('putLevel')
      names.set(level, [...index.entries()].map(({ sha256 }) => sha256))
      return missing(level)
    },
    missing: async (_id, level) => {
      await call('missing')
      return missing(level)
    },
    wanted: (_id, _after, aborted) => new Promise((_resolve, reject) => aborted.addEventListener('abort', () => reject(aborted.reason as Error), { once: true })),
    complete: () => call('complete'),
  }
  const carrier: ChunkCarrier = {
    kind: 'https', window: 3, [Symbol.asyncDispose]: () => Promise.resolve(),
    putSquare: async (_id, message) => {
      await call('putSquare')
      squares.push(message)
    },
    put: async (_id, sha256) => {
      await call('put')
      here.add(sha256)
      return 'stored'
    },
  }
  const total = (): number => new Set([...names.values()].flat()).size
  return { door, carrier, calls, here, squares, total, count: (name: string) => calls.filter(each => each === name).length }
}

const quick = { clock: systemClock, retry: { first: millis(1), cap: millis(5) } }

t.test('reads its first level while it is announced, and tells nothing of it before', async t => {
  const { door, carrier, calls } = farEnd()
  const [read, told] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()]
  const slide = prepare((level, { column, row }) => {
    read.resolve(undefined)
    return Promise.resolve(Buffer.alloc(30_000, `${level}/${column}/${row}`))
  })
  const announce = async (): Promise<void> => {
    await read.promise
    t.same(calls, [])
    calls.push('announce')
    told.resolve(undefined)
  }
  await new SlideSender({ slide, door: { ...door, announce }, carrier, clock: systemClock }).run(signal)
  await told.promise
  t.equal(calls[0], 'announce')
})

t.test('announces, sends all that is missing once, and completes', async t => {
  const { door, carrier, calls, here, total, count } = farEnd()
  const sender = new SlideSender({ ...quick, door, carrier, slide: prepare() })
  await sender.run(signal)
  t.equal(calls[0], 'announce')
  t.equal(calls.at(-1), 'complete')
  t.equal(count('put'), total())
  t.equal(here.size, total())
  t.match(sender.progress, { isTotal: true, chunksDone: total(), remaining: 0 })
})

t.test('chunks of coarse levels flow while finer ones are still being read', async t => {
  const started = Promise.withResolvers<undefined>()
  const { door, carrier } = farEnd(call => {
    if (call === 'put') started.resolve(undefined)
  })
  const slide = prepare(async (level, { column, row }) => {
    if (level === 0) await started.promise
    return Buffer.alloc(30_000, `${level}/${column}/${row}`)
  })
  await new SlideSender({ ...quick, door, carrier, slide }).run(signal)
  t.pass('it would wait for ever otherwise')
})

t.test('whatever fails in passing is tried again until it works', async t => {
  let seed = 7
  const random = (): number => ((seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647)
  const codes: readonly FaultCode[] = ['unavailable', 'timeout', 'overloaded', 'storage_full']
  const faults: FaultCode[] = []
  const { door, carrier, here, total } = farEnd(() => {
    if (random() < 0.4) throw new RelayFault(codes[Math.floor(random() * codes.length)]!, 'passing')
  })
  await new SlideSender({ ...quick, door, carrier, slide: prepare(), random, onFault: code => faults.push(code) }).run(signal)
  t.equal(here.size, total())
  t.ok(codes.every(code => faults.includes(code)))
})

t.test('after an outage it asks again what is missing: chunks whose acknowledgement was lost do not go twice', async t => {
  let puts = 0
  const far = farEnd()
  const carrier: ChunkCarrier = { ...far.carrier, window: 4, put: async (id, sha256, body, aborted) => {
    puts++
    await far.carrier.put(id, sha256, body, aborted)
    // They arrive, and nobody hears of it.
    if (puts >= 3 && puts <= 6) throw new RelayFault('unavailable', 'the line is gone')
    return 'stored'
  } }
  await new SlideSender({ ...quick, door: far.door, carrier, slide: prepare() }).run(signal)
  t.equal(far.here.size, far.total())
  t.ok(puts < far.total() + 4, `${puts} for ${far.total()}`)
})

t.test('what does not pass ends it, with its code and nothing left running', async t => {
  for (const [call, code] of [['announce', 'grant_refused'], ['putLevel', 'signature_refused'], ['put', 'quota_exceeded'], ['complete', 'signature_refused']] as const) {
    const { door, carrier, calls } = farEnd(name => {
      if (name === call) throw new RelayFault(code, 'final')
    })
    await t.rejects(new SlideSender({ ...quick, door, carrier, slide: prepare() }).run(signal), { code }, call)
    const { length } = calls
    await new Promise(setImmediate)
    t.equal(calls.length, length)
  }
})

t.test('bytes that are damaged again and again end it', async t => {
  const { door, carrier, count } = farEnd(name => {
    if (name === 'put') throw new RelayFault('hash_mismatch', 'damaged')
  })
  await t.rejects(new SlideSender({ ...quick, door, carrier, slide: prepare() }).run(signal), { code: 'hash_mismatch' })
  t.ok(count('put') < 100)
})

t.test('a file that cannot be read ends it', async t => {
  const { door, carrier } = farEnd()
  const slide = prepare((level, position) => (level === 0 ? Promise.reject(new RelayFault('bad_slide', 'cut off')) : Promise.resolve(Buffer.alloc(10, position.column))))
  await t.rejects(new SlideSender({ ...quick, door, carrier, slide }).run(signal), { code: 'bad_slide' })
})

t.test('when the node says at the end that chunks are missing, they go again', async t => {
  let isLost = false
  const far = farEnd(name => {
    if (name !== 'complete' || isLost) return
    isLost = true
    far.here.clear()
    throw new RelayFault('wrong_state', 'chunks are missing')
  })
  await new SlideSender({ ...quick, door: far.door, carrier: far.carrier, slide: prepare() }).run(signal)
  t.equal(far.here.size, far.total())
  t.equal(far.count('put'), 2 * far.total())
})

t.test('stops at once when it is told to', async t => {
  const stop = new AbortController()
  const far = farEnd()
  const carrier: ChunkCarrier = { ...far.carrier, put: (_id, _sha, _body, aborted) => {
    setImmediate(() => stop.abort(new RelayFault('unavailable', 'stopped')))
    return new Promise((_resolve, reject) => aborted.addEventListener('abort', () => reject(aborted.reason as Error), { once: true }))
  } }
  await t.rejects(new SlideSender({ ...quick, door: far.door, carrier, slide: prepare() }).run(stop.signal), { message: 'stopped' })
})

t.test('paused, it sends nothing until it is resumed', async t => {
  const far = farEnd()
  const sender = new SlideSender({ ...quick, door: far.door, carrier: far.carrier, slide: prepare(), onProgress: ({ isTotal }) => {
    if (!isTotal) return
    if (far.count('put') === 0) setImmediate(() => sender.resume())
  } })
  sender.pause()
  await sender.run(signal)
  t.equal(far.here.size, far.total())
  t.ok(far.calls.lastIndexOf('putLevel') < far.calls.indexOf('put'))
})

t.test('what somebody looks at of a level that is still being read goes ahead of it, in squares, again when it got lost', async t => {
  let failures = 1
  const { door, carrier, calls, squares } = farEnd(call => {
    if (call === 'putSquare' && failures-- > 0) throw new RelayFault('unavailable', 'the line broke')
  })
  const went = Promise.withResolvers<undefined>()
  // The finest level is read only once the square is there.
  const slide = prepare(async (level, { column, row }) => {
    if (level === 0 && column >= 8) await went.promise
    return Buffer.alloc(30_000, `${level}/${column}/${row}`)
  })
  const wanted: SlideDoor['wanted'] = (id, after, aborted) => after === 0 ? Promise.resolve({ serial: 1, chunks: [], squares: [{ level: 0, square: 0 }] }) : door.wanted(id, after, aborted)
  const putSquare: ChunkCarrier['putSquare'] = async (...args) => {
    await carrier.putSquare(...args)
    t.notOk(calls.includes('complete'))
    went.resolve(undefined)
  }
  const faults: FaultCode[] = []
  await new SlideSender({ slide, door: { ...door, wanted }, carrier: { ...carrier, window: 3, putSquare }, ...quick, onFault: code => faults.push(code) }).run(signal)
  t.same(faults, ['unavailable'])
  t.equal(squares.length, 1)
  const square = decodeSquare(squares[0]!, slide.structure)
  t.match(square, { level: 0, square: 0 })
  t.same(square.tiles.map(tile => tile.subarray(0, 6).toString()), Array.from({ length: 64 }, (_, at) => `0/${at % 8}/${Math.floor(at / 8)}0`.slice(0, 6)))
  t.equal((await verifySquareHead(square.head, slide.key)).slideId, slideId)
})
