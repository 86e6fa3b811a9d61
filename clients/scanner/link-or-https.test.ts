import { t } from 'tap'
import { RelayFault } from '../../relay/wire/fault.ts'
import { Sha256, SlideId } from '../../relay/wire/ids.ts'
import { millis } from '../../relay/wire/units.ts'
import { LinkOrHttps } from './link-or-https.ts'
import type { ChunkCarrier } from '../../relay/slides/transfer/transfer.ts'

const slideId = SlideId.parse('5f0f1bc8-3cb7-4a38-9d6b-0bb1a2c5ad11')
const sha256 = Sha256.parse('0'.repeat(64))
const { signal } = new AbortController()

class FakeCarrier implements ChunkCarrier {
  readonly kind
  readonly window
  fault: RelayFault | undefined
  puts = 0
  isDisposed = false

  constructor(kind: 'link' | 'https', window: number) {
    this.kind = kind
    this.window = window
  }

  put(): Promise<'stored'> {
    this.puts++
    return this.fault === undefined ? Promise.resolve('stored') : Promise.reject(this.fault)
  }

  async putSquare(): Promise<void> {
    await this.put()
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.isDisposed = true
    return Promise.resolve()
  }
}

function carrierUnderTest() {
  let now = 0
  const links: FakeCarrier[] = []
  const https = new FakeCarrier('https', 4)
  const world = { links, https, refusal: undefined as RelayFault | undefined, fallbacks: 0, pass: (time: number) => (now += time) }
  const carrier = new LinkOrHttps({
    https,
    openLink: async () => {
      if (world.refusal !== undefined) throw world.refusal
      links.push(new FakeCarrier('link', 9))
      return links.at(-1)!
    },
    clock: { now: () => millis(now), sleep: () => Promise.resolve() },
    onFallback: () => world.fallbacks++,
  })
  return { ...world, world, carrier, put: () => carrier.put(slideId, sha256, Buffer.alloc(1), signal) }
}

t.test('chunks that come together share one link', async t => {
  const { carrier, links, put } = carrierUnderTest()
  await Promise.all([put(), put(), put()])
  t.match(links, [{ puts: 3 }])
  t.match({ kind: carrier.kind, window: carrier.window }, { kind: 'link', window: 9 })
  await carrier[Symbol.asyncDispose]()
  t.ok(links[0]?.isDisposed)
})

t.test('a lost link is opened again with the next chunk, and a single chunk without an answer costs no link', async t => {
  const { links, put } = carrierUnderTest()
  await put()
  links[0]!.fault = new RelayFault('timeout', 'no answer')
  await t.rejects(put(), { code: 'timeout' })
  t.notOk(links[0]?.isDisposed)
  links[0]!.fault = new RelayFault('unavailable', 'lost')
  await t.rejects(put(), { code: 'unavailable' })
  t.ok(links[0]?.isDisposed)
  await put()
  t.equal(links.length, 2)
})

t.test('where no link comes up HTTPS carries, and after a minute the link is tried again', async t => {
  const { world, https, links, put } = carrierUnderTest()
  world.refusal = new RelayFault('unavailable', 'no datagrams pass')
  await put()
  await put()
  t.same([https.puts, world.fallbacks], [2, 1])
  world.refusal = undefined
  world.pass(60_000)
  await put()
  t.match(links, [{ puts: 1 }])
})

t.test('HTTPS also carries while the node still holds the link of a scanner that was killed', async t => {
  const { world, https, put } = carrierUnderTest()
  world.refusal = new RelayFault('conflict', 'in use')
  await put()
  t.equal(https.puts, 1)
})

t.test('a refusal of the invitation is no reason to try HTTPS', async t => {
  const { world, https, put } = carrierUnderTest()
  world.refusal = new RelayFault('wrong_role', 'not a scanner')
  await t.rejects(put(), { code: 'wrong_role' })
  t.equal(https.puts, 0)
})
