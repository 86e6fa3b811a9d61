import { t } from 'tap'
import { BrowserViewer } from '../../bench/chromium.ts'
import { EmulatedNetwork } from '../../bench/lines/emulated-network.ts'
import { symmetricLine } from '../../bench/lines/profiles.ts'
import { LocalNode } from '../../bench/local-node.ts'
import { Firewall } from '../harness/firewall.ts'
import { TurnSetup } from '../harness/turn-server.ts'
import type { Inspection } from '../../clients/viewer/inspect.ts'

const WINDOW = { width: 1280, height: 720 }
const TURN_PORT = 443
const NODE_PORT = 8443
const CAPTURE = ['--source', 'pattern', '--frames-per-second', '10', '--width', '2560', '--height', '1440', '--columns', '2', '--rows', '2', '--overview-width', '1280', '--tile-bitrate', '2000000', '--overview-bitrate', '1000000', '--uplink-bitrate', '50000000', '--carrier', 'webrtc']

/** Estimates of a line grow by what flows, and a busy machine looks like a narrow one. */
const CLAIM = '/?downlink=50#'

const { signal } = new AbortController()
const line = symmetricLine({ roundTripMillis: 20, rateBitsPerSecond: 100e6 })
const network = await EmulatedNetwork.open({ leaves: { viewer: line, free: line, microscope: line }, signal })
t.teardown(() => network[Symbol.asyncDispose]())
const setup = await TurnSetup.make(network.nodeAddress, TURN_PORT)
t.teardown(() => setup[Symbol.asyncDispose]())
const settings = ['--listen-port', String(NODE_PORT), '--turn-urls', setup.url, '--turn-secret-file', setup.secretFile]
const node = await LocalNode.open({ workers: 1, statsIntervalSeconds: 0.5, signal, network, settings })
t.teardown(() => node[Symbol.asyncDispose]())
const relay = await setup.start(network.enter('node'), node.certificateFiles!)
t.teardown(() => relay[Symbol.asyncDispose]())
const [viewerWall, microscopeWall] = [await Firewall.open(network, 'viewer', [NODE_PORT, TURN_PORT]), await Firewall.open(network, 'microscope', [NODE_PORT, TURN_PORT])]
const agent = await node.startAgent(CAPTURE, signal)
t.teardown(() => agent[Symbol.asyncDispose]())

const figures = ({ mediaPath, roundTripSeconds, relayCostMillis, framesPerSecond, framesDrawn, bitsPerSecondReceived, bytesReceived, lossRatio, freezes }: Inspection): string =>
  `${mediaPath}: RTT ${((roundTripSeconds ?? 0) * 1000).toFixed(1)} ms, ${relayCostMillis === null ? 'no relay' : `relay +${relayCostMillis.toFixed(1)} ms`}, ${framesPerSecond.toFixed(1)} fps, ${framesDrawn} frames drawn, ` +
  `${(bitsPerSecondReceived / 1e6).toFixed(2)} Mbit/s, ${bytesReceived} bytes, loss ${(lossRatio * 100).toFixed(2)} %, ${freezes.count} freezes`

/** Both have settled on the way, and the picture runs. */
const runs = (path: string) => (now: Inspection): boolean => now.mediaPath === path && now.framesDrawn > 20 && now.pointerIsNative && now.roundTripSeconds !== null && now.relayCostMillis !== null

async function metric(name: string, labels: Readonly<Record<string, string>>): Promise<number> {
  const samples = (await node.metrics()).filter(sample => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
  return samples.reduce((sum, { value }) => sum + value, 0)
}

t.test('a viewer and a microscope that nothing but TLS reaches are in the consultation, over TURN', async t => {
  await using viewer = await BrowserViewer.open((await node.invite('viewer', 'inside')).replace('/#', CLAIM), WINDOW, await node.browserAt('viewer'))
  await viewer.until('a picture', ({ shown }) => shown !== null, 60)
  await viewer.view({ x: 1280, y: 720, scale: 1 })
  const now = await viewer.until('native pixels over the relay', runs('relay-tls'), 60)
  t.comment(figures(now))
  const dropped = await viewerWall.dropped()
  t.ok(dropped.udp > 0, 'UDP was tried, and dropped')
  t.comment(`dropped of the viewer: ${dropped.udp} UDP, ${dropped.tcp} TCP packets; of the microscope: ${(await microscopeWall.dropped()).udp} UDP`)
  await viewer.page.keyboard.press('i')
  t.match(await viewer.page.locator('.panel').innerText(), /over a relay, TLS, \+\d+ ms: keyframes may stall/)
  await viewer.page.keyboard.press('l')
  t.match(await viewer.page.locator('.panel').innerText(), /中継経由（TLS、\+\d+ ms）/)
  t.equal(await metric('kenkyo_viewer_media_paths', { media_path: 'relay-tls' }), 1)
  t.same(viewer.pageErrors, [])
})

t.test('a viewer whom UDP reaches goes directly, though it knows of the relay', async t => {
  await using viewer = await BrowserViewer.open((await node.invite('viewer', 'outside')).replace('/#', CLAIM), WINDOW, await node.browserAt('free'))
  await viewer.until('a picture', ({ shown }) => shown !== null, 60)
  await viewer.view({ x: 1280, y: 720, scale: 1 })
  const now = await viewer.until('native pixels', ({ mediaPath, framesDrawn, pointerIsNative }) => mediaPath === 'udp' && framesDrawn > 20 && pointerIsNative, 60)
  t.equal(now.relayCostMillis, null)
  t.comment(figures(now))
})

t.test('?relay=only lets media go over the relay alone', async t => {
  const link = (await node.invite('viewer', 'choosing')).replace('/#', '/?relay=only#')
  await using viewer = await BrowserViewer.open(link, WINDOW, await node.browserAt('free'))
  const now = await viewer.until('a picture over the relay', ({ mediaPath, shown }) => mediaPath === 'relay-tls' && shown !== null, 60)
  t.comment(figures(now))
})
