/** People sign in at a node of a platform in a real browser: with a ticket, a passkey, and a card. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { t } from 'tap'
import { BrowserViewer } from '../../bench/chromium.ts'
import { findFreePorts } from '../../bench/free-ports.ts'
import { KEY_PURPOSES, thumbprintOf } from '../../relay/access/pki/certificate.ts'
import { PractitionerId } from '../../relay/wire/access.ts'
import { AgentsWorld, WITH_AGENTS } from '../harness/agents-world.ts'
import { CardIssuer } from '../harness/hpki-card.ts'
import { UNIVERSITY } from '../harness/platform-under-test.ts'
import { LooseCa } from '../harness/test-ca.ts'
import type { Page } from 'playwright-core'
import type { Test } from 'tap'
import type { AxeResults } from 'axe-core'
import type { ChromiumLaunch } from '../../bench/chromium.ts'
import type { Sha256 } from '../../relay/wire/ids.ts'
import type { NodeConfig } from '../../sfu/config.ts'

t.setTimeout(240_000)

type AxeGlobal = typeof globalThis & { readonly axe: { run(): Promise<AxeResults> } }
const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Writes pictures of what is seen for a person to look at. */
const screenshots = process.env['KENKYO_SCREENSHOTS']

const SATO = PractitionerId.parse('dr-sato')
const DEADLINE = { timeout: 30_000 }

/** A platform with one doctor, and a node that browsers reach by a name. */
async function openWorld(t: Test, settings: Partial<NodeConfig> = {}, certificates: Sha256[] = []) {
  const listenPort = await findFreePorts(1)
  const scheme = settings.tlsCertFile === undefined ? 'http' : 'https'
  const world = await AgentsWorld.open({ listenPort, publicOrigin: `${scheme}://localhost:${listenPort}`, ...settings })
  t.teardown(() => world[Symbol.asyncDispose]())
  const sato = { id: SATO, facilityId: UNIVERSITY, role: 'pathologist' as const, displayName: '佐藤 花子', status: 'active' as const, certificates }
  await world.platform.setRegistry({ ...WITH_AGENTS, practitioners: [sato] })
  const open = async (locale: string, { ticket, launch }: { ticket?: string; launch?: ChromiumLaunch } = {}): Promise<BrowserViewer> => {
    const link = `${await world.node.invite('viewer', { member: 'sato' })}&purpose=consultation${ticket === undefined ? '' : `&ticket=${ticket}`}`
    const viewer = await BrowserViewer.open(link, { width: 900, height: 700, locale }, launch)
    t.teardown(() => viewer[Symbol.asyncDispose]())
    return viewer
  }
  return { world, open, suspend: () => world.platform.setRegistry({ ...WITH_AGENTS, practitioners: [{ ...sato, status: 'suspended' }] }) }
}

/** What axe-core takes to be a serious or critical barrier. */
async function barriers(page: Page, name: string): Promise<string[]> {
  if (screenshots !== undefined) await page.screenshot({ path: `${screenshots}-${name}.png` })
  await page.evaluate(axeSource)
  const { violations } = await page.evaluate(() => (globalThis as AxeGlobal).axe.run())
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

/** A key of this machine that its owner unlocks at once. */
async function addAuthenticator(page: Page): Promise<void> {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('WebAuthn.enable')
  await cdp.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } })
}

const letIn = (viewer: BrowserViewer) => viewer.until('to be let in', ({ connection, access }) => connection === 'joined' && access.mode === 'platform', 30)

t.test('a ticket of the link signs in where demonstrations are allowed, and the page says so until one signs out', async t => {
  const { world, open } = await openWorld(t, { allowTicketSignIn: true })
  const viewer = await open('ja-JP', { ticket: await world.node.ticket(SATO) })
  const { page } = viewer
  await letIn(viewer)
  t.match(await page.textContent('[data-access=demonstration]'), /デモ用サインイン：佐藤 花子/)
  await page.keyboard.press('n')
  t.match(await page.textContent('.own-person'), /佐藤 花子 · university · 病理医/)
  t.same(await barriers(page, 'signed-in'), [])
  await page.click('.sign-out')
  await page.waitForSelector('.access-dialog.sign-in [data-by=ticket]', DEADLINE)
  t.match(await page.textContent('.access-dialog.sign-in .demonstration'), /本人確認は行われません/)
  t.equal(await page.locator('[data-access=demonstration]').count(), 0)
  t.same(await barriers(page, 'demonstration'), [])
  await page.keyboard.press('Escape')
  await page.waitForSelector('.notice', DEADLINE)
  t.same(viewer.pageErrors, [])
})

t.test('a passkey is made with a ticket, by the keyboard alone, and signs in from then on; the ticket does not', async t => {
  const { world, open, suspend } = await openWorld(t)
  const viewer = await open('en-US', { ticket: await world.node.ticket(SATO) })
  const { page } = viewer
  await addAuthenticator(page)
  await page.waitForSelector('.access-dialog.sign-in', DEADLINE)
  t.equal(await page.locator('[data-by=ticket], [data-by=card]').count(), 0, 'nothing is offered that the node does not take')
  t.same(await barriers(page, 'sign-in-en'), [])
  await page.focus('.access-dialog .ticket')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await letIn(viewer)
  t.equal(await page.locator('[data-access=demonstration]').count(), 0)
  await page.keyboard.press('n')
  t.match(await page.textContent('.own-person'), /佐藤 花子 · university · Pathologist/)

  await page.click('.sign-out')
  await page.click('[data-by=new_passkey]', DEADLINE)
  await page.waitForSelector('[data-fault=replayed]', DEADLINE)
  t.match(await page.textContent('[data-fault=replayed]'), /This ticket was used/)
  await page.click('[data-by=passkey]')
  await letIn(viewer)

  await suspend()
  await page.click('.notice .sign-out', DEADLINE)
  await page.click('[data-by=passkey]', DEADLINE)
  await page.waitForSelector('[data-fault=access_revoked]', DEADLINE)
  t.same(viewer.pageErrors, [])
})

t.test('a browser without a passkey of this node says so', async t => {
  const { open } = await openWorld(t)
  const { page } = await open('ja-JP')
  await addAuthenticator(page)
  await page.click('[data-by=passkey]', DEADLINE)
  await page.waitForSelector('[data-fault=sign_in_required]', DEADLINE)
  t.same(await barriers(page, 'sign-in-ja'), [])
})

t.test('a card signs in at its own listener, and another one does not', async t => {
  const [ca, issuer] = await Promise.all([LooseCa.create(), CardIssuer.create()])
  const [own, card, stranger] = await Promise.all([ca.member({ purposes: [KEY_PURPOSES.serverAuth], names: [{ type: 'dns', value: 'localhost' }] }), issuer.issue(), issuer.issue()])
  const folder = t.testdir({ 'tls.pem': own.cert, 'tls.key': own.key, 'cards.pem': issuer.pem, 'card.pem': card.certPem, 'card.key': card.keyPem, 'other.pem': stranger.certPem, 'other.key': stranger.keyPem })
  setDefaultCACertificates([...getCACertificates('default'), ca.rootPem])
  const file = (name: string): string => join(folder, name)
  const signInListenPort = await findFreePorts(1)
  const signInPublicOrigin = `https://localhost:${signInListenPort}`
  const { open } = await openWorld(t, { tlsCertFile: file('tls.pem'), tlsKeyFile: file('tls.key'), signInListenPort, signInPublicOrigin, signInCaFile: file('cards.pem') }, [thumbprintOf(card.der)])
  const withCard = (name: string): ChromiumLaunch => ({ context: { ignoreHTTPSErrors: true, clientCertificates: [{ origin: signInPublicOrigin, certPath: file(`${name}.pem`), keyPath: file(`${name}.key`) }] } })

  const refused = await open('en-US', { launch: withCard('other') })
  await refused.page.click('[data-by=card]', DEADLINE)
  await refused.page.waitForSelector('[data-fault=certificate_refused]', DEADLINE)

  const viewer = await open('ja-JP', { launch: withCard('card') })
  await viewer.page.waitForSelector('[data-by=card]', DEADLINE)
  t.same(await barriers(viewer.page, 'card'), [])
  await viewer.page.click('[data-by=card]')
  await letIn(viewer)
  await viewer.page.keyboard.press('n')
  t.match(await viewer.page.textContent('.own-person'), /佐藤 花子/)
  t.same(viewer.pageErrors, [])
})
