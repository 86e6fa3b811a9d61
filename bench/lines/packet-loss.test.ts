import { t } from 'tap'
import { seededRandom } from '../scenarios/viewport-renditions.ts'
import { burstLoss, lossSamplingError, meanLossRatio, PacketLoss } from './packet-loss.ts'
import type { Loss } from './profiles.ts'

t.test('derives a model that loses what was asked for', async t => {
  const loss = burstLoss({ meanRatio: 0.02, meanBurstPackets: 4, lossInBad: 0.5 })
  t.ok(Math.abs(meanLossRatio(loss) - 0.02) < 1e-12)
  t.equal(loss.r, 0.25)
  t.same(burstLoss({ meanRatio: 0, meanBurstPackets: 3 }).p, 0)
})

t.test('refuses a loss that no model has', async t => {
  t.throws(() => burstLoss({ meanRatio: 0.99, meanBurstPackets: 1 }), { code: 'bad_config' })
  t.throws(() => burstLoss({ meanRatio: 0.5, meanBurstPackets: 4, lossInBad: 0.3 }), { code: 'bad_config' })
  t.throws(() => burstLoss({ meanRatio: 0.1, meanBurstPackets: 0.5 }), { code: 'bad_config' })
  t.throws(() => burstLoss({ meanRatio: Number.NaN, meanBurstPackets: 4 }), { code: 'bad_config' })
})

t.test('a line that stays as it is loses what it loses when good', async t => {
  t.equal(meanLossRatio({ model: 'gilbert-elliott', p: 0, r: 0, lossInBad: 1, lossInGood: 0.1 }), 0.1)
})

t.test('knows how far samples of a loss stray', async t => {
  const losses: Loss[] = [{ model: 'uniform', ratio: 0.05 }, burstLoss({ meanRatio: 0.05, meanBurstPackets: 5 })]
  for (const loss of losses) {
    const random = seededRandom(11)
    const packets = 4000
    const ratios = Array.from({ length: 400 }, () => {
      const line = new PacketLoss(loss, random)
      return Array.from({ length: packets }, () => line.next()).filter(Boolean).length / packets
    })
    const deviation = Math.sqrt(ratios.reduce((sum, ratio) => sum + (ratio / 0.05 - 1) ** 2, 0) / ratios.length)
    const predicted = lossSamplingError(loss, packets)
    t.ok(Math.abs(deviation / predicted - 1) < 0.15, `${loss.model}: ${deviation} of ${predicted}`)
  }
  t.equal(lossSamplingError({ model: 'uniform', ratio: 0 }, 10), 0)
})
