import { t } from 'tap'
import { randomSource } from '../../../test/harness/mutation.ts'
import { bytes, millis } from '../../wire/units.ts'
import { FecDecoder } from './fec-decoder.ts'
import { FecEncoder } from './fec-encoder.ts'
import { DEFAULT_MAX_OVERHEAD, FecSwitch, TARGET_RESIDUAL, TOLERATED_RESIDUAL, decideFec, parityResidual, repairRounds, retransmissionResidual } from './fec-policy.ts'
import type { FecConditions } from './fec-policy.ts'

const line = (change: Partial<FecConditions> = {}): FecConditions => ({ lossRatio: 0.01, meanBurst: 1, budget: millis(160), roundTrip: millis(40), packetsPerSecond: 8000, ...change })

/** Part of the packets that more than m losses in k + m leave missing, written down from the binomial distribution. */
function binomialResidual(k: number, m: number, p: number): number {
  const n = k + m
  let [sum, choose] = [0, 1]
  for (let losses = 1; losses <= n; losses++) {
    choose *= (n - losses + 1) / losses
    if (losses > m) sum += (losses / n) * choose * p ** losses * (1 - p) ** (n - losses)
  }
  return sum
}

t.test('counts the rounds of retransmission that fit in the budget', async t => {
  t.equal(repairRounds(millis(160), millis(40)), 3)
  t.equal(repairRounds(millis(64), millis(40)), 0)
  t.equal(repairRounds(millis(65), millis(40)), 1)
  t.equal(repairRounds(millis(10), millis(40)), 0)
  t.equal(retransmissionResidual(line({ budget: millis(40) })), 0.01)
  t.ok(Math.abs(retransmissionResidual(line({ lossRatio: 0.05 })) - 0.05 * (1 - 0.95 * 0.9975) ** 3) < 1e-12)
})

t.test('sends no parity where retransmission does', async t => {
  for (const lossRatio of [0, 0.001, 0.01, 0.03, 0.05]) t.equal(decideFec(line({ lossRatio })), undefined, `loss ${lossRatio}, 40 ms, budget 160 ms`)
  t.equal(decideFec(line({ lossRatio: 0.2, roundTrip: millis(4), budget: millis(160) })), undefined)
  t.equal(decideFec(line({ packetsPerSecond: 0 })), undefined)
  t.equal(decideFec(line({ lossRatio: NaN })), undefined)
  t.equal(decideFec(line({ lossRatio: 1 })), undefined)
})

t.test('sends parity where the budget has no room for a second chance', async t => {
  t.ok(decideFec(line({ budget: millis(40) })), 'loss 1 %, one round trip')
  t.ok(decideFec(line({ lossRatio: 0.001, budget: millis(40) })))
  t.ok(decideFec(line({ lossRatio: 0.05, budget: millis(80) })))
})

t.test('sends none where it would come too late', async t => {
  t.equal(decideFec(line({ roundTrip: millis(400), budget: millis(160) })), undefined)
  t.equal(decideFec(line({ budget: millis(25) })), undefined)
  t.equal(decideFec(line({ budget: millis(40), packetsPerSecond: 200 })), undefined)
})

t.test('reaches the target at the least overhead, within time and bound, over a table of lines', async t => {
  let reached = 0
  for (const lossRatio of [0.0005, 0.002, 0.01, 0.03, 0.08, 0.2]) {
    for (const meanBurst of [1, 2, 5]) {
      for (const packetsPerSecond of [500, 2000, 8000, 40000]) {
        for (const [roundTrip, budget] of [[40, 40], [40, 70], [10, 30], [150, 200]] as const) {
          for (const maxOverhead of [0.1, DEFAULT_MAX_OVERHEAD, 0.5]) {
            const conditions = line({ lossRatio, meanBurst, packetsPerSecond, roundTrip: millis(roundTrip), budget: millis(budget), maxOverhead })
            const decision = decideFec(conditions)
            if (decision === undefined) continue
            const { k, m } = decision
            const retransmission = retransmissionResidual(conditions)
            const residual = (retransmission / lossRatio) * parityResidual(decision, lossRatio, meanBurst)
            const isWithin = m <= maxOverhead * k && (k + m) / packetsPerSecond <= (budget - roundTrip / 2) / 1000 && k <= 48 && m <= 12
            if (!isWithin || retransmission <= TOLERATED_RESIDUAL || residual >= retransmission) t.fail('not within bounds, or of no use', { conditions, decision, residual })
            if (residual <= TARGET_RESIDUAL) reached++
          }
        }
      }
    }
  }
  t.ok(reached > 50, `${reached} reach the target`)
})

t.test('takes what reaches the target and nothing dearer', async t => {
  // The rounds that fit leave less to parity: here none and one.
  for (const { lossRatio, budget, target } of [{ lossRatio: 0.01, budget: 40, target: TARGET_RESIDUAL }, { lossRatio: 0.03, budget: 80, target: TARGET_RESIDUAL / (1 - 0.97 * (1 - 0.03 ** 2)) }]) {
    const decision = decideFec(line({ lossRatio, budget: millis(budget) }))!
    t.ok(parityResidual(decision, lossRatio, 1) <= target)
    for (let m = 1; m <= 12; m++) {
      for (let k = m; k <= 48; k++) {
        if (m * decision.k < decision.m * k && parityResidual({ k, m }, lossRatio, 1) <= target) t.fail(`${k}, ${m} would be cheaper`)
      }
    }
  }
})

t.test('asks for more parity against bursts, and for less with every round that fits', async t => {
  const overhead = (change: Partial<FecConditions>): number => {
    const decision = decideFec(line(change))
    return decision === undefined ? 0 : decision.m / decision.k
  }
  t.ok(overhead({ budget: millis(40), meanBurst: 3 }) > overhead({ budget: millis(40) }))
  const byBudget = [40, 70, 115, 160].map(budget => overhead({ lossRatio: 0.04, budget: millis(budget) }))
  t.same(byBudget, [...byBudget].sort((one, other) => other - one))
  t.equal(byBudget.at(-1), 0)
})

t.test('does its best within the bound where the target is out of reach', async t => {
  const conditions = line({ lossRatio: 0.2, budget: millis(40), packetsPerSecond: 40000 })
  const { k, m } = decideFec(conditions)!
  t.ok(m <= DEFAULT_MAX_OVERHEAD * k)
  t.ok(parityResidual({ k, m }, 0.2, 1) < 0.2)
  t.ok(parityResidual({ k, m }, 0.2, 1) > TARGET_RESIDUAL)
})

t.test('expects of random loss what the binomial distribution says', async t => {
  for (const [k, m, p] of [[1, 1, 0.1], [4, 1, 0.01], [20, 2, 0.01], [32, 6, 0.05], [48, 12, 0.2]] as const) {
    const expected = binomialResidual(k, m, p)
    t.ok(Math.abs(parityResidual({ k, m }, p, 1) / expected - 1) < 1e-6, `${k}, ${m}, ${p}: ${expected}`)
  }
  t.throws(() => parityResidual({ k: 60, m: 12 }, 0.1, 1))
})

t.test('expects what encoder and decoder then reach, with single losses and with bursts', async t => {
  for (const { lossRatio, meanBurst, k, m } of [{ lossRatio: 0.05, meanBurst: 1, k: 20, m: 2 }, { lossRatio: 0.03, meanBurst: 3, k: 24, m: 4 }]) {
    const random = randomSource(11)
    const burst = Math.max(meanBurst, 1 / (1 - lossRatio))
    let isLost = false
    const loses = (): boolean => (isLost = isLost ? random() >= 1 / burst : random() < lossRatio / (burst * (1 - lossRatio)))
    const encoder = new FecEncoder({ maxBodyLength: bytes(4), maxBlockAge: millis(10) })
    encoder.configure({ k, m })
    const decoder = new FecDecoder({ maxBodyLength: bytes(4), sourceWindow: 256, maxBlocks: 8 })
    const count = k * 8000
    let lost = 0
    for (let sequence = 0; sequence < count; sequence++) {
      const parity = encoder.add(sequence, new Uint8Array(4), millis(0))
      if (loses()) lost++
      else decoder.receivedSource(sequence, new Uint8Array(4))
      for (const packet of parity) if (!loses()) decoder.receivedParity(packet)
    }
    const [measured, expected] = [(lost - decoder.recoveredPackets) / count, parityResidual({ k, m }, lossRatio, meanBurst)]
    t.ok(Math.abs(measured / expected - 1) < 0.15, `measured ${measured}, expected ${expected}`)
  }
})

t.test('switches on after 300 ms of need without a break', async t => {
  const fec = new FecSwitch()
  const need = { k: 20, m: 2 }
  t.equal(fec.step(need, millis(0)), undefined)
  t.equal(fec.step(need, millis(299)), undefined)
  t.equal(fec.step(undefined, millis(299.5)), undefined)
  t.equal(fec.step(need, millis(400)), undefined)
  t.same(fec.step(need, millis(700)), need)
  t.same(fec.current, need)
})

t.test('switches off after 5 s without need, and not for a pause', async t => {
  const fec = new FecSwitch()
  const need = { k: 20, m: 2 }
  fec.step(need, millis(0))
  fec.step(need, millis(300))
  t.same(fec.step(undefined, millis(5200)), need)
  t.same(fec.step(need, millis(5250)), need)
  t.same(fec.step(undefined, millis(10_249)), need)
  t.equal(fec.step(undefined, millis(10_250)), undefined)
})

t.test('changes settings no more than once a second, and to the latest', async t => {
  const fec = new FecSwitch()
  fec.step({ k: 20, m: 2 }, millis(0))
  fec.step({ k: 20, m: 2 }, millis(300))
  const changes: number[] = []
  let last = fec.current
  for (let now = 310; now <= 5300; now += 10) {
    const current = fec.step({ k: 20, m: 2 + ((now / 10) % 3) }, millis(now))
    if (current !== last) changes.push(now)
    last = current
  }
  t.ok(changes.length >= 4)
  t.ok(changes.every((at, index) => at - (changes[index - 1] ?? 300) >= 1000))
})
