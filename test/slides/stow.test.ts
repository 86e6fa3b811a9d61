import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify from 'fastify'
import { t } from 'tap'
import { generateInvitationKey, InvitationIssuer, InvitationVerifier } from '../../relay/access/invitation.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { createRegistry } from '../../relay/runtime/metrics.ts'
import { FrameReader, instanceOf, writeInstance } from '../../relay/slides/dicomweb/dicom-writer.ts'
import { FileSlideStore } from '../../relay/slides/store/file-slide-store.ts'
import { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import { columnsOf, rowsOf } from '../../relay/wire/slide.ts'
import { millis } from '../../relay/wire/units.ts'
import { NodeSlides } from '../../sfu/slides/node-slides.ts'
import { SlideMetrics } from '../../sfu/slides/slide-metrics.ts'
import { orthancMissing, startOrthanc } from '../dicom/orthanc.ts'
import { paintTile, smallSlide } from '../dicom/painted-slide.ts'
import { FakeSlides } from '../fakes/fake-slides.ts'
import type { Test } from 'tap'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Role } from '../../relay/wire/signaling.ts'

const BOUNDARY = 'between-the-parts'
const QUIET = millis(60_000)
const painted = smallSlide()

interface Summary {
  readonly slideId: string
  readonly state: string
  readonly pseudonym: string
}

/** The machine's time, and how far it was put forward. */
class ShiftedClock implements Clock {
  shift = 0

  now(): ReturnType<Clock['now']> {
    return millis(systemClock.now() + this.shift)
  }

  sleep(...args: Parameters<Clock['sleep']>): Promise<void> {
    return systemClock.sleep(...args)
  }
}

async function setup(t: Test) {
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-stow-'))
  const jwk = await generateInvitationKey()
  const [issuer, verifier] = await Promise.all([InvitationIssuer.open(jwk), InvitationVerifier.open(jwk)])
  const [clock, log] = [new ShiftedClock(), createLogger({ level: 'silent', program: 'node' })]
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const invite = (role: Role, consultation = 'case-1'): Promise<string> =>
    issuer.issue({ consultationId: ConsultationId.parse(consultation), memberId: MemberId.parse('someone'), role, lifetimeSeconds: 600 })
  const open = async () => {
    const store = await FileSlideStore.open({ directory: join(directory, 'slides'), quotaBytes: 1e8, log })
    const slides = new NodeSlides(store, { verify: token => verifier.verify(token), metrics: new SlideMetrics(createRegistry()), clock, log, origin: 'http://127.0.0.1' })
    await slides.openStow(join(directory, 'stowed'), 1e8, { quiet: QUIET, interval: millis(10) })
    const app = fastify({ bodyLimit: 64 * 1024 })
    slides.addTo(app)
    const origin = await app.listen({ host: '127.0.0.1', port: 0 })
    const get = (path: string, token: string, init: RequestInit = {}): Promise<Response> =>
      fetch(`${origin}${path}`, { ...init, headers: { ...(init.headers as Record<string, string>), authorization: `Bearer ${token}` } })
    const summaries = async (consultation?: string): Promise<readonly Summary[]> =>
      ((await (await get('/slides', await invite('viewer', consultation))).json()) as { slides: Summary[] }).slides
    const whenComplete = async (): Promise<Summary> => {
      const deadline = performance.now() + 20_000
      while (performance.now() < deadline) {
        const slide = (await summaries()).find(({ state }) => state === 'complete')
        if (slide !== undefined) return slide
      }
      throw new Error('no slide became complete')
    }
    const close = async (): Promise<void> => {
      app.server.closeAllConnections()
      await app.close()
      await slides[Symbol.asyncDispose]()
    }
    return { origin, get, summaries, whenComplete, [Symbol.asyncDispose]: close }
  }
  return { clock, invite, open }
}

/** The painted slide as one message of STOW-RS. */
async function message(): Promise<{ readonly fakes: FakeSlides; readonly init: RequestInit }> {
  const fakes = new FakeSlides()
  await fakes.add(painted, paintTile)
  const parts: Uint8Array[] = []
  for (const level of painted.structure.levels.keys()) {
    parts.push(Buffer.from(`--${BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n`))
    for await (const part of writeInstance(fakes, instanceOf(fakes, painted, level)!)) parts.push(part)
    parts.push(Buffer.from('\r\n'))
  }
  parts.push(Buffer.from(`--${BOUNDARY}--\r\n`))
  const headers = { 'content-type': `multipart/related; type="application/dicom"; boundary=${BOUNDARY}`, accept: 'application/dicom+json' }
  return { fakes, init: { method: 'POST', body: Buffer.concat(parts), headers } }
}

/** Compares every tile of a slide with the frame that was sent. */
async function compare(t: Test, fakes: FakeSlides, tile: (level: number, column: number, row: number) => Promise<Response>): Promise<void> {
  for (const [level, shape] of painted.structure.levels.entries()) {
    const reader = new FrameReader(fakes, instanceOf(fakes, painted, level)!)
    for (let row = 0; row < rowsOf(shape); row++) {
      for (let column = 0; column < columnsOf(shape); column++) {
        const answer = await tile(level, column, row)
        t.equal(answer.status, 200)
        t.ok(Buffer.from(await answer.arrayBuffer()).equals(Buffer.from(await reader.readTile({ column, row }))), `${level}/${column}/${row}`)
      }
    }
  }
}

t.test('a series that a scanner stows becomes a slide of its consultation, its tiles the frames that were sent', async t => {
  const { clock, invite, open } = await setup(t)
  await using node = await open()
  const { fakes, init } = await message()
  for (const role of ['viewer', 'microscope'] as const) t.equal((await node.get('/dicomweb/studies', await invite(role), init)).status, 403, role)
  t.equal((await node.get('/dicomweb/studies', await invite('scanner'), init)).status, 200)
  t.same(await node.summaries(), [], 'more may come')
  clock.shift = QUIET
  const { slideId, pseudonym } = await node.whenComplete()
  t.same(await node.summaries('case-2'), [])
  t.not(slideId, painted.structure.slideId)
  t.not(pseudonym, painted.structure.pseudonym)
  const viewer = await invite('viewer')
  await compare(t, fakes, (level, column, row) => node.get(`/slides/${slideId}/tiles/${level}/${column}/${row}`, viewer))
})

t.test('a series that was stowed before a restart becomes one slide after it', async t => {
  const { clock, invite, open } = await setup(t)
  {
    await using node = await open()
    t.equal((await node.get('/dicomweb/studies', await invite('scanner'), (await message()).init)).status, 200)
  }
  {
    await using node = await open()
    clock.shift = QUIET
    await node.whenComplete()
  }
  clock.shift = 2 * QUIET
  await using node = await open()
  t.equal((await node.summaries()).length, 1)
})

t.test('a slide that Orthanc sends becomes one of the consultation', { skip: orthancMissing, timeout: 60_000 }, async t => {
  const { clock, invite, open } = await setup(t)
  await using node = await open()
  const { fakes, init } = await message()
  const orthanc = await startOrthanc(t, `${node.origin}/dicomweb/`, { Authorization: `Bearer ${await invite('scanner')}` })
  t.equal((await fetch(`${orthanc}/dicom-web/studies`, init)).status, 200)
  const [series] = (await (await fetch(`${orthanc}/series`)).json()) as string[]
  const sent = await fetch(`${orthanc}/dicom-web/servers/kenkyo/stow`, { method: 'POST', body: JSON.stringify({ Resources: [series], Synchronous: true }) })
  t.equal(sent.status, 200)
  clock.shift = QUIET
  const { slideId } = await node.whenComplete()
  const viewer = await invite('viewer')
  await compare(t, fakes, (level, column, row) => node.get(`/slides/${slideId}/tiles/${level}/${column}/${row}`, viewer))
})
