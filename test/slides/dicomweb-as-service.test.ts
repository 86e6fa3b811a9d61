import fastify from 'fastify'
import { exportJWK, generateKeyPair } from 'jose'
import { t } from 'tap'
import { FacilityId, ServiceId } from '../../relay/wire/access.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { createRegistry } from '../../relay/runtime/metrics.ts'
import { openSigningKey } from '../../relay/slides/manifest/heads.ts'
import { SlidePreparation } from '../../relay/slides/manifest/slide-preparation.ts'
import { HttpDoor } from '../../relay/slides/transfer/http-door.ts'
import { HttpsCarrier } from '../../relay/slides/transfer/https-carrier.ts'
import { SlideSender } from '../../relay/slides/transfer/slide-sender.ts'
import { SlideId } from '../../relay/wire/ids.ts'
import { NodeServices } from '../../sfu/services/node-services.ts'
import { ServiceMetrics } from '../../sfu/services/service-metrics.ts'
import { paintTile } from '../dicom/painted-slide.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import type { SlideLevel } from '../../relay/wire/slide.ts'
import type { TilePosition } from '../../relay/wire/tile-order.ts'

const tokenOf = (link: string): string => new URLSearchParams(new URL(link).hash.slice(1)).get('invitation') ?? ''
const level: SlideLevel = { width: 600, height: 300, tileWidth: 256, tileHeight: 256, encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' }, isMade: false }
const facilityId = FacilityId.parse('hospital')

async function send(origin: string, token: string): Promise<void> {
  const key = await openSigningKey(await exportJWK((await generateKeyPair('EdDSA', { extractable: true })).privateKey))
  const structure = { version: 1, slideId: SlideId.parse(crypto.randomUUID()), format: 'tiff', pseudonym: 'ABCD-1234', micronsPerPixel: null, objectivePower: null, levels: [level], removed: [] } as const
  const readTile = (_level: number, position: TilePosition): Promise<Buffer> => paintTile(level, position)
  await using slide = new SlidePreparation({ structure: { ...structure, levels: [level], removed: [] }, key, tiles: { readTile, [Symbol.asyncDispose]: () => Promise.resolve() } })
  using door = new HttpDoor({ origin, token })
  await using carrier = new HttpsCarrier({ origin, token }, { clock: systemClock })
  await new SlideSender({ slide, door, carrier, clock: systemClock }).run(AbortSignal.timeout(20_000))
}

t.test('DICOMweb of a node is a service of another: its studies, and a frame byte for byte', async t => {
  await using far = await NodeUnderTest.open()
  const { origin } = far.node
  await send(origin, tokenOf(await far.invite('scanner')))
  const authorization = `Bearer ${tokenOf(await far.invite('viewer'))}`
  const id = ServiceId.parse('slides')
  const record = () => Promise.resolve()
  await using services = new NodeServices({
    facilityId, clock: systemClock, log: createLogger({ level: 'silent', program: 'node' }), metrics: new ServiceMetrics(createRegistry()), audit: { record, recordEmergency: record },
    registry: {
      service: asked => (asked === id ? { id, facilityId, kind: 'dicomweb', origin, addresses: 'local', requestsPerSecond: 100, status: 'active' } : undefined),
      changed: () => () => undefined,
    },
    authorise: () => Promise.resolve({ actor: { facilityId }, facilityId, consultationId: null, grantId: null, isEmergency: false, ended: new AbortController().signal }),
    credentials: new Map([[id, authorization]]),
  })
  const app = fastify({ logger: false })
  services.addTo(app)
  const near = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())

  const ask = (base: string, path: string, accept: string) => fetch(`${base}${path}`, { headers: { accept, ...(base === origin ? { authorization } : {}) }, signal: AbortSignal.timeout(10_000) })
  const instances = await ask(`${near}/services/slides`, '/dicomweb/instances', 'application/dicom+json')
  const [instance] = (await instances.json()) as Record<string, { Value: string[] }>[]
  t.equal(instances.status, 200)
  const [study, series, sop] = ['0020000D', '0020000E', '00080018'].map(tag => instance?.[tag]?.Value[0])
  const frames = `/dicomweb/studies/${study}/series/${series}/instances/${sop}/frames/1`
  const accept = 'multipart/related; type="image/jpeg"; transfer-syntax=*'
  const [through, direct] = [await ask(`${near}/services/slides`, frames, accept), await ask(origin, frames, accept)]
  t.same([through.status, direct.status], [200, 200])
  const framed = async (answer: Response): Promise<Buffer> => {
    const boundary = /boundary="?([^";]+)/.exec(answer.headers.get('content-type') ?? '')?.[1] ?? ''
    return Buffer.from(Buffer.from(await answer.arrayBuffer()).toString('latin1').replaceAll(boundary, ''), 'latin1')
  }
  const [one, other] = [await framed(through), await framed(direct)]
  t.ok(one.length > 500)
  t.ok(one.equals(other))
})
