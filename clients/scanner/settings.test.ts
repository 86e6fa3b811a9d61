import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { t } from 'tap'
import { environmentName, flagName, parseConfig } from '../../relay/runtime/config.ts'
import { scanCommand } from './main.ts'
import { ScanSettings } from './settings.ts'

const load = (flags: Record<string, unknown>, environment: Record<string, string> = {}) => parseConfig(ScanSettings, { environment, flags })

t.test('rates, hours and words are read from flags and the environment', async t => {
  t.match(load({ limitRate: '12.5', keep: 'scan date, scanner model' }, { KENKYO_BETWEEN: '18:00-07:00' }), {
    limitRate: 12.5e6, between: { from: 1080, to: 420 }, keep: ['scan date', 'scanner model'], carrier: 'link', atOnce: 1,
  })
})

t.test('every mistake is told at once, with where it was made', async t => {
  t.throws(() => load({ between: 'night', limitRate: 'fast' }, { KENKYO_CARRIER: 'pigeon' }), { code: 'bad_config', message: /--between: expected hours[^]*--limit-rate|--limit-rate[^]*--between: expected hours/ })
  t.throws(() => load({}, { KENKYO_CARRIER: 'pigeon' }), { message: /^KENKYO_CARRIER/ })
})

t.test('every setting has its flag, and its row in the documentation', async t => {
  const documented = readFileSync(join(import.meta.dirname, '../../docs/SCANNER.md'), 'utf8')
  const flags = scanCommand().options.map(({ long }) => long)
  for (const key of Object.keys(ScanSettings.shape)) {
    t.ok(flags.includes(flagName(key)), flagName(key))
    t.ok(documented.includes(`| \`${key}\` | \`${environmentName(key)}\` | \`${flagName(key)}\` |`), key)
  }
  t.same(flags.filter(flag => !Object.keys(ScanSettings.shape).some(key => flagName(key) === flag)), [])
})
