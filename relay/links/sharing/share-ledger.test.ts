import { t } from 'tap'
import { bitsPerSecond, millis } from '../../wire/units.ts'
import { ShareLedger } from './share-ledger.ts'

const PACE = bitsPerSecond(100e6)
const [LIVE, CONTROL, TILES, BULK] = [0, 1, 2, 3]
const SHARES = [0.6, 0.05, 0.1, 0.02]

/**
 * A path that always sends at its pace, for so long.
 *
 * @param ready - Bit by class, at a time.
 * @returns The part of all bytes that each class got, and how long each waited at most for its turn.
 */
function serve(ledger: ShareLedger, ready: (now: number) => number, duration: number, sizes = [1250, 200, 1250, 1250], from = 0) {
  const sent = [0, 0, 0, 0]
  const servedAt = [0, 0, 0, 0]
  const waits = [0, 0, 0, 0]
  let credit = 0
  for (let now = from; now < from + duration; now++) {
    ledger.accrue(PACE, millis(now))
    for (credit += PACE / 8000; credit > 0; ) {
      const bits = ready(now)
      const chosen = ledger.choose(bits)
      if (chosen < 0) break
      const size = sizes[chosen]!
      ledger.spent(chosen, size)
      sent[chosen]! += size
      credit -= size
      waits[chosen] = Math.max(waits[chosen]!, now - servedAt[chosen]!)
      servedAt[chosen] = now
    }
  }
  const all = sent.reduce((sum, bytes) => sum + bytes)
  return { ratios: sent.map(bytes => bytes / all), waits }
}

t.test('each class gets its guaranteed share when all want everything, and the most urgent the rest', async t => {
  const { ratios, waits } = serve(new ShareLedger(SHARES), () => 0b1111, 10_000)
  t.comment(ratios.map(ratio => ratio.toFixed(4)).join(' '))
  for (const id of [CONTROL, TILES, BULK]) t.ok(Math.abs(ratios[id]! - SHARES[id]!) < 0.01, `class ${id}: ${ratios[id]}`)
  t.ok(ratios[LIVE]! > 0.82 && ratios[LIVE]! < 0.84)
  t.ok(waits[CONTROL]! <= 2, 'control never waits')
  t.ok(waits[BULK]! <= 10)
})

t.test('what a class does not use the next one gets', async t => {
  t.same(serve(new ShareLedger(SHARES), () => 1 << BULK, 1000).ratios, [0, 0, 0, 1])
  const { ratios } = serve(new ShareLedger(SHARES), () => (1 << TILES) | (1 << BULK), 5000)
  t.ok(Math.abs(ratios[BULK]! - SHARES[BULK]!) < 0.01 && ratios[TILES]! > 0.97)
})

t.test('a class without a guarantee has what is left, and that may be nothing', async t => {
  const { ratios } = serve(new ShareLedger([0.6, 0.05, 0.1, 0]), () => 0b1111, 5000)
  t.equal(ratios[BULK], 0)
})

t.test('a guarantee that was not used is not saved up', async t => {
  // Bulk alone for ten seconds, then live wants all: bulk must not take ten seconds' worth of its share.
  const ledger = new ShareLedger(SHARES)
  serve(ledger, () => 0, 10_000)
  let early = 0
  ledger.accrue(PACE, millis(10_000))
  for (let packet = 0; packet < 100; packet++) {
    const chosen = ledger.choose((1 << LIVE) | (1 << BULK))
    if (chosen === BULK) early++
    ledger.spent(chosen, 1250)
  }
  t.ok(early <= 5, `${early} packets`)
})

t.test('whoever took everything while alone owes nothing for it', async t => {
  const ledger = new ShareLedger(SHARES)
  serve(ledger, () => 1 << BULK, 5000)
  const { ratios } = serve(ledger, () => 0b1001, 1000, undefined, 5000)
  t.ok(ratios[BULK]! > 0.01, 'its share goes on at once')
})

t.test('control goes next, whatever waits, as soon as it has something', async t => {
  const ledger = new ShareLedger(SHARES)
  const { waits } = serve(ledger, now => 0b1101 | (now % 50 === 0 ? 1 << CONTROL : 0), 5000, [1250, 1250, 1250, 1250])
  t.ok(waits[CONTROL]! <= 50)
})

t.test('nothing is chosen when nothing is ready', async t => {
  t.equal(new ShareLedger(SHARES).choose(0), -1)
})

t.test('a clock that stands still, or leaps, gives nobody more than what is remembered', async t => {
  const ledger = new ShareLedger(SHARES)
  ledger.accrue(PACE, millis(0))
  ledger.accrue(PACE, millis(3_600_000))
  let bulk = 0
  while (ledger.choose((1 << LIVE) | (1 << BULK)) === BULK || bulk === 0) {
    const chosen = ledger.choose(1 << BULK)
    ledger.spent(chosen, 1250)
    if (++bulk > 100) break
    if (ledger.choose(1 << BULK) === BULK && ledger.choose(0b1001) === LIVE) break
  }
  t.ok(bulk <= 5)
})
