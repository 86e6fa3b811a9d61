import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { t } from 'tap'
import { z } from 'zod'
import { environmentName, flag, flagName, numeric, parseConfig } from './config.ts'

const schema = z.strictObject({
  listenPort: numeric(z.int().min(0).max(65_535)).default(7680),
  stateDir: z.string().default('/state'),
  isQuiet: flag().default(false),
})

t.test('names a setting the same way everywhere', async t => {
  t.equal(environmentName('listenPort'), 'KENKYO_LISTEN_PORT')
  t.equal(flagName('listenPort'), '--listen-port')
})

t.test('lets flags win over the environment, and that over the file', async t => {
  const file = join(t.testdir(), 'config.json')
  writeFileSync(file, JSON.stringify({ listenPort: 1, stateDir: '/file', isQuiet: true }))
  const config = parseConfig(schema, {
    file,
    environment: { KENKYO_LISTEN_PORT: '2', KENKYO_STATE_DIR: '/env' },
    flags: { listenPort: '3' },
  })
  t.same(config, { listenPort: 3, stateDir: '/env', isQuiet: true })
})

t.test('reports every mistake together, and where it was made', async t => {
  const file = join(t.testdir(), 'config.json')
  writeFileSync(file, JSON.stringify({ listenPort: 'x', surprise: 1 }))
  const run = () => parseConfig(schema, { file, environment: { KENKYO_IS_QUIET: 'perhaps' }, flags: { stateDir: 7 } })
  t.throws(run, { code: 'bad_config', message: /listenPort/ })
  t.throws(run, { message: /surprise/ })
  t.throws(run, { message: /KENKYO_IS_QUIET/ })
  t.throws(run, { message: /--state-dir/ })
})

t.test('refuses a file that is missing, not JSON or not an object', async t => {
  const dir = t.testdir({ text: 'no json', list: '[1]' })
  for (const file of ['missing', 'text', 'list']) {
    t.throws(() => parseConfig(schema, { file: join(dir, file), environment: {}, flags: {} }), { code: 'bad_config' }, file)
  }
})
