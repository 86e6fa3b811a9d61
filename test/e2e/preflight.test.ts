import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'
import { BrowserViewer } from '../../bench/chromium.ts'
import { EmulatedNetwork } from '../../bench/lines/emulated-network.ts'
import { symmetricLine } from '../../bench/lines/profiles.ts'
import { LocalNode } from '../../bench/local-node.ts'
import { Firewall } from '../harness/firewall.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { RawClient } from '../harness/raw-client.ts'
import { publishParameters } from '../harness/offer.ts'
import type { ChromiumLaunch } from '../../bench/chromium.ts'
import type { PreflightCheck, PreflightResult } from '../../relay/wire/preflight.ts'

const WINDOW = { width: 1280, height: 1100 }
/** A run, on a machine that does a lot besides. */
const RUN_SECONDS = 120
/** Chromium's own: a tone, and no question. */
const FAKE_MICROPHONE = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']
const { signal } = new AbortController()

interface Planted extends ChromiumLaunch {
  /** Of the display. */
  readonly deviceScaleFactor?: number
  /** Runs in the page before anything else. */
  readonly script?: string
  readonly areLoadsShort?: boolean
}

/**
 * Runs in the page: the calm load is measured for 2 s instead of 6 s, the view's for 3 s instead of 10 s. What is found
 * is a share or a rate, so it stays what it is; only a loss that is to be counted needs the whole time.
 */
const SHORT_LOADS = `{ const real = setTimeout; const short = new Map([[6000, 2000], [10_000, 3000]]); globalThis.setTimeout = (callback, wait, ...rest) => real(callback, short.get(wait) ?? wait, ...rest) }`

/** Opens the viewer, presses the button, and waits for what was found. */
async function check(link: string, { deviceScaleFactor = 1, script = '', areLoadsShort = true, ...launch }: Planted): Promise<Map<PreflightCheck, PreflightResult>> {
  await using viewer = await BrowserViewer.open(link, { ...WINDOW, deviceScaleFactor, locale: 'en-US' }, launch)
  await viewer.page.addInitScript(`${areLoadsShort ? SHORT_LOADS : ''}\n${script}`)
  await viewer.page.reload()
  await viewer.page.waitForFunction(() => 'kenkyo' in globalThis)
  await viewer.until('the session', ({ connection }) => connection === 'joined', 30)
  await viewer.page.getByRole('button', { name: 'Check before the case' }).first().click()
  await viewer.page.getByRole('button', { name: 'Start', exact: true }).click()
  const { preflight } = await viewer.until('what was found', now => now.preflight.results !== null && now.preflight.step === null, RUN_SECONDS)
  process.stderr.write(`${preflight.results?.map(({ check: name, colour, figure }) => `${name} ${colour}${figure === null ? '' : ` ${figure.toFixed(2)}`}`).join(', ')}\n`)
  return new Map(preflight.results?.map(result => [result.check, result]))
}

t.test('on this machine: display, microphone, colours, decoders, clock, disk and stage', async t => {
  const small = mkdtempSync(join(tmpdir(), 'kenkyo-small-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', small])
  t.teardown(() => {
    execFileSync('umount', [small])
    rmSync(small, { recursive: true })
  })
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = small
  await using under = await NodeUnderTest.open()
  if (before === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = before

  await t.test('a display at 150 %, a denied microphone, 16 bits of colour, a clock that is 30 s off, a full disk: each by its name', async t => {
    const found = await check(await under.invite('viewer', { member: 'first' }), {
      deviceScaleFactor: 1.5, args: ['--use-fake-device-for-media-stream', '--deny-permission-prompts'],
      script: `Object.defineProperty(Screen.prototype, 'colorDepth', { get: () => 16 }); { const now = Date.now; Date.now = () => now() - 30000 }`,
    })
    t.match(found.get('scaling'), { colour: 'amber', advice: 'scaled', figure: 150 })
    t.match(found.get('microphone'), { colour: 'red', advice: 'microphoneDenied' })
    t.match(found.get('colour'), { colour: 'red', advice: 'lowColour', figure: 16 })
    t.match(found.get('clock'), { colour: 'red', advice: 'clockOff' })
    t.match(found.get('nodeDisk'), { colour: 'red', advice: 'nodeDiskFull' })
    t.match(found.get('stage'), { colour: 'unknown' }, 'there is none')
    t.match(found.get('udp'), { colour: 'green' })
    t.match(found.get('tcp'), { colour: 'green' })
    t.match(found.get('loss'), { colour: 'green' })
  })

  await t.test('a decoder that is slow, and a stage that does not answer; what is well is green', async t => {
    await using microscope = await RawClient.join(await under.invite('microscope', { member: 'scope' }))
    await microscope.ok('publish', publishWithStage())
    const link = await under.invite('technician', { member: 'second' })
    const found = await check(link, {
      args: FAKE_MICROPHONE,
      script: `{ const Real = VideoDecoder; globalThis.VideoDecoder = class extends Real { constructor(init) { let count = 0; super({ ...init, output: frame => (count++ % 10 === 0 ? init.output(frame) : frame.close()) }) } } }`,
    })
    t.match(found.get('decoder'), { colour: 'red', advice: 'slowDecoder' })
    t.match(found.get('stage'), { colour: 'red', advice: 'stageSilent' })
    for (const name of ['udp', 'tcp', 'scaling', 'colour', 'microphone', 'clock', 'roundTrip'] as const) t.match(found.get(name), { colour: 'green' }, name)
    const token = new URLSearchParams(new URL(link).hash.slice(1)).get('invitation') ?? ''
    const answer = await fetch(`${under.node.origin}/preflight`, { headers: { authorization: `Bearer ${token}` } })
    const { reports } = (await answer.json()) as { reports: { memberId: string; results: unknown[] }[] }
    t.same(reports.map(({ memberId }) => memberId), ['second', 'first'], 'both are kept')
    t.same(reports[0]?.results, [...found.values()])
  })
})

t.test('UDP blocked, 3 % lost, a narrow line: each by its name', async t => {
  const lossy = { ...symmetricLine({ roundTripMillis: 20, rateBitsPerSecond: 100e6 }), name: 'lossy' }
  const leaves = {
    blocked: symmetricLine({ roundTripMillis: 20, rateBitsPerSecond: 100e6 }),
    lossy: { ...lossy, down: { ...lossy.down, loss: { model: 'uniform' as const, ratio: 0.03 } } },
    narrow: symmetricLine({ roundTripMillis: 20, rateBitsPerSecond: 10e6 }),
  }
  await using network = await EmulatedNetwork.open({ leaves, signal })
  await using node = await LocalNode.open({ workers: 1, statsIntervalSeconds: 1, signal, network })
  const wall = await Firewall.open(network, 'blocked', [])

  await t.test('UDP blocked', async t => {
    const found = await check(await node.invite('viewer', 'blocked'), plant(await node.browserAt('blocked')))
    t.match(found.get('udp'), { colour: 'amber', advice: 'udpBlocked' })
    t.match(found.get('tcp'), { colour: 'green' })
    t.match(found.get('loss'), { colour: 'unknown' }, 'it could not be counted')
    t.ok((await wall.dropped()).udp > 0)
  })
  await t.test('3 % lost', async t => {
    const found = await check(await node.invite('viewer', 'lossy'), { ...plant(await node.browserAt('lossy')), areLoadsShort: false })
    t.match(found.get('loss'), { colour: 'red', advice: 'lossy' })
    t.match(found.get('udp'), { colour: 'green' })
  })
  await t.test('a narrow line', async t => {
    const found = await check(await node.invite('viewer', 'narrow'), plant(await node.browserAt('narrow')))
    t.match(found.get('down'), { colour: 'red', advice: 'narrowDown' })
    t.match(found.get('udp'), { colour: 'green' })
  })
})

function plant({ args = [], ...launch }: ChromiumLaunch): Planted {
  return { ...launch, args: [...args, ...FAKE_MICROPHONE] }
}

/** One that says it can be steered, and never answers. */
function publishWithStage(): object {
  const travel = { x: { min: 0, max: 1000 }, y: { min: 0, max: 1000 }, focus: { min: -50, max: 50 } }
  const state = { x: 0, y: 0, focus: 0, objective: '20x', isMoving: false, rtpTimestamp: null, obeyed: null }
  return { ...publishParameters(), stage: { objectives: [{ name: '20x', micrometresPerPixel: 0.25 }], travel, state } }
}
