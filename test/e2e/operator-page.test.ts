/** The operators' page in a real browser, at a core with a node that hears it. */
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { chromium } from 'playwright-core'
import { t } from 'tap'
import { chromiumPath } from '../../bench/chromium.ts'
import { createRequest } from '../../relay/access/pki/certificate-request.ts'
import { requestInto } from '../../relay/access/pki/enrolment-folder.ts'
import { askCore } from '../../relay/access/core/core-request.ts'
import { NodeId, ServiceId } from '../../relay/wire/access.ts'
import { LinkName } from '../../relay/wire/link.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { HOSPITAL, PlatformUnderTest, TWO_FACILITIES, UNIVERSITY } from '../harness/platform-under-test.ts'
import type { Browser, Page } from 'playwright-core'
import type { AxeResults } from 'axe-core'
import type { RegistryDraft } from '../../relay/access/registry/registry-ledger.ts'

type PageGlobal = typeof globalThis & { readonly axe: { run(): Promise<AxeResults> } }

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Writes pictures of what is seen for a person to look at. */
const screenshots = process.env['KENKYO_SCREENSHOTS']
const SIZES = [{ width: 1280, height: 720 }, { width: 3840, height: 2160 }]
const SECTIONS = ['members', 'links', 'consultations', 'grants', 'services', 'audit', 'approvals'] as const
const PATIENCE = { timeout: 20_000 }

const LINE = LinkName.parse('hospital-line')
const machine = (id: string, facilityId: typeof HOSPITAL, kind: 'node' | 'agent') => ({ id: NodeId.parse(id), facilityId, kind, status: 'active' as const })
const MEMBERS: RegistryDraft = {
  ...TWO_FACILITIES,
  nodes: [...TWO_FACILITIES.nodes, machine('hospital-node', HOSPITAL, 'node'), machine('scope', UNIVERSITY, 'agent')],
  links: [{ name: LINE, class: 'sinet', between: [HOSPITAL, UNIVERSITY], bitsPerSecond: 400_000_000, status: 'active' }],
  services: [{ id: ServiceId.parse('archive'), facilityId: UNIVERSITY, kind: 'dicomweb', origin: 'https://pacs.university.example', requestsPerSecond: 20, status: 'active' }],
}

const platform = await PlatformUnderTest.open(MEMBERS)
t.teardown(() => platform[Symbol.asyncDispose]())
const file = (name: string): string => join(platform.folder, name)

/** Credentials of an operator, as files. */
async function enterOperator(practitionerId: string): Promise<{ certPath: string; keyPath: string }> {
  const { keyPem, requestPem } = await createRequest(practitionerId)
  const response = await platform.askOperator('POST', '/operator/operators', { practitionerId, displayName: 'Operator', facilityId: 'hq', facilityName: 'Platform office', requestPem })
  const { chainPem } = (await response.json()) as { chainPem: string }
  await Promise.all([writeFile(file(`${practitionerId}.pem`), chainPem), writeFile(file(`${practitionerId}.key`), keyPem)])
  return { certPath: file(`${practitionerId}.pem`), keyPath: file(`${practitionerId}.key`) }
}

const own = await platform.credentials('university-node', UNIVERSITY)
await Promise.all([writeFile(file('node.pem'), own.cert), writeFile(file('node.key'), own.key), writeFile(file('ca.pem'), own.ca)])
const node = await NodeUnderTest.open({
  coreUrl: platform.url, nodeCertFile: file('node.pem'), nodeKeyFile: file('node.key'), platformCaFile: file('ca.pem'),
  registryKeyFile: platform.registryKeyFile, membersListenPort: 0, slides: false,
})
t.teardown(() => node[Symbol.asyncDispose]())
const desk = await platform.credentials('hospital-desk', HOSPITAL, 'agent')
await platform.openCase(desk)
await platform.consent(desk, await platform.cards.issue('試験 花子'))

/** A node that says of itself how its link is. */
const hospital = await platform.credentials('hospital-node', HOSPITAL)
const link = { link: LINE, paths: 2, livePaths: 1, roundTripMillis: 12.4, lossRatio: 0.0012, inBitsPerSecond: 96_000_000, outBitsPerSecond: 2_400_000, isDegraded: true }
const tell = (): Promise<unknown> => askCore(platform.url, hospital, { method: 'PUT', path: '/core/report', body: { links: [link], grants: [], grantCount: 0 } }).catch(() => undefined)
await tell()
const telling = setInterval(() => void tell(), 2000)
t.teardown(() => clearInterval(telling))

/** A microscope that was granted what it asked the university's node for, once that has heard of the case. */
const scope = await platform.credentials('scope', UNIVERSITY, 'agent')
const invitation = new URLSearchParams(new URL(await node.invite('microscope', { member: 'scope' })).hash.slice(1)).get('invitation')
const askGrant = (): Promise<unknown> => askCore(`https://localhost:${node.node.membersPort ?? 0}`, scope, { method: 'POST', path: '/access/grants', body: { invitation, purpose: 'consultation' } })
const patience = performance.now() + PATIENCE.timeout
while (!(await askGrant().then(() => true, () => performance.now() > patience))) await setTimeout(50)

const browser: Browser = await chromium.launch({ executablePath: chromiumPath(), headless: true, args: ['--no-sandbox', '--disable-background-networking'], handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false })
t.teardown(() => browser.close())

async function openPage(credentials: { certPath: string; keyPath: string }, locale = 'en-US'): Promise<{ page: Page; errors: string[] }> {
  const context = await browser.newContext({ locale, viewport: SIZES[0]!, ignoreHTTPSErrors: true, clientCertificates: [{ origin: platform.url, ...credentials }] })
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', error => errors.push(error.message))
  page.on('console', message => {
    if (message.type() === 'error') errors.push(message.text())
  })
  await page.goto(`${platform.url}/operator/`)
  return { page, errors }
}

const go = (page: Page, section: string): Promise<unknown> => page.locator(`nav a[href="#${section}"]`).click().then(() => page.waitForSelector(`main[data-section="${section}"]`, PATIENCE))

/** What axe-core takes to be a serious or critical barrier. */
async function barriers(page: Page): Promise<string[]> {
  const { violations } = await page.evaluate(() => (globalThis as PageGlobal).axe.run())
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

/** Where the bar, its links and the columns of tables are. */
const places = (page: Page): Promise<number[][]> =>
  page.evaluate(() => [...document.querySelectorAll('.bar > *, nav a, thead th')].map(element => element.getBoundingClientRect()).map(({ left, width }) => [Math.round(left), Math.round(width)]))

const ops = await enterOperator('ops-1')

t.test('lists who belongs to the platform, in both languages and sizes, without barriers or a place that moves', async t => {
  for (const locale of ['en-US', 'ja-JP']) {
    const { page, errors } = await openPage(ops, locale)
    await page.waitForSelector('[data-machine="university-node"] >> text=/(89|90)/', PATIENCE)
    // axe is put in by the inspector, which no content security policy stops.
    await page.evaluate(axeSource)
    for (const size of SIZES) {
      await page.setViewportSize(size)
      for (const section of SECTIONS) {
        await go(page, section)
        t.same(await barriers(page), [], `${locale} ${section} at ${size.width}`)
        t.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${section} fits into ${size.width}`)
        const before = await places(page)
        await page.waitForResponse(/operator\/overview/, PATIENCE)
        t.same(await places(page), before, 'nothing moves when the core is heard again')
        if (screenshots !== undefined) await page.screenshot({ path: join(screenshots, `operator-${locale.slice(0, 2)}-${section}-${size.width}.png`) })
      }
    }
    t.match(await page.locator('html').getAttribute('lang'), locale.slice(0, 2))
    t.notMatch(await page.content(), /花子/)
    t.same(errors, [])
    await page.context().close()
  }
})

t.test('shows how links are and what is granted, as nodes say', async t => {
  const { page } = await openPage(ops)
  await go(page, 'links')
  const row = page.locator('tr', { hasText: 'hospital-line' })
  await row.getByText('12.4 ms').waitFor(PATIENCE)
  t.match((await row.innerText()).split(/\s*\t\s*/), ['hospital-line', 'hospital – university', 'sinet, 400 Mbit/s', 'hospital-node', /degraded/, '1/2', '12.4 ms', '0.12 %', '96.0 Mbit/s', '2.40 Mbit/s'])
  await go(page, 'grants')
  const grant = page.locator('tbody tr', { hasText: 'scope' })
  await grant.waitFor(PATIENCE)
  t.match(await grant.innerText(), /university-node.*case-1.*scope.*university.*machine.*consultation.*publish_live/s)
  await page.context().close()
})

t.test('approves a facility that waits, once its number was compared', async t => {
  const { page } = await openPage(ops)
  const joining = file('joining')
  const key = await requestInto(joining, { facilityId: 'clinic', nodeId: 'clinic-node', kind: 'node', hostNames: ['node.clinic.example'] })
  await go(page, 'approvals')
  await page.setInputFiles('input[type=file]', join(joining, 'request.json'))
  const request = page.locator('[data-request="clinic-node"]')
  await request.waitFor(PATIENCE)
  t.equal((await request.locator('.fingerprint').innerText()).replaceAll(/\s/g, ''), key)
  const approve = request.getByRole('button', { name: 'Approve' })
  t.equal(await approve.isDisabled(), true, 'not before it was compared')
  await request.getByRole('checkbox').check()
  t.equal(await approve.isDisabled(), true, 'nor before the facility has a name')
  await request.getByRole('textbox').fill('Clinic on the hill')
  if (screenshots !== undefined) await page.screenshot({ path: join(screenshots, 'operator-approving.png') })
  await approve.click()
  await page.locator('.approved').waitFor(PATIENCE)
  if (screenshots !== undefined) await page.screenshot({ path: join(screenshots, 'operator-approved.png') })
  const download = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Answer for the facility' }).click()
  t.match(JSON.parse(await readFile(await (await download).path(), 'utf8')), { nodeId: 'clinic-node' })
  await go(page, 'members')
  t.match(await page.locator('[data-machine="clinic-node"]').innerText(), /Clinic on the hill/)
  await page.context().close()
})

t.test('finds in every log what somebody did, and says whether the chains are what was written', async t => {
  const { page } = await openPage(ops)
  await go(page, 'audit')
  const search = async (): Promise<void> => {
    await page.getByRole('button', { name: 'Search' }).click()
    await page.waitForResponse(/audit\/search/, PATIENCE)
    await page.locator('[aria-busy="false"]').waitFor(PATIENCE)
  }
  const checks = page.locator('.checks li')
  const deadline = performance.now() + 60_000
  // The first search of a busy machine may end before its log was verified.
  do await search()
  while (/being verified|no answer/.test((await checks.allInnerTexts()).join()) && performance.now() < deadline)
  t.match(await checks.allInnerTexts(), [/core.*chain intact/, /university-node.*chain intact/])
  if (screenshots !== undefined) await page.screenshot({ path: join(screenshots, 'operator-audit-found.png') })
  await page.getByLabel('Practitioner').fill('ops-1')
  await page.getByLabel('Kind').selectOption('ceremony')
  await search()
  t.match(await page.locator('tbody tr').allInnerTexts(), [/ops-1.*issued clinic-node clinic/, /ops-1.*approved clinic-node clinic/])
  await page.getByLabel('Practitioner').fill('nobody')
  await page.getByLabel('Kind').selectOption('')
  await search()
  await page.getByText('Nothing fits.').waitFor(PATIENCE)
  await page.context().close()
})

t.test('revokes a machine with the keyboard alone, and sees it go', async t => {
  const { page } = await openPage(ops)
  const row = page.locator('[data-machine="university-node"]')
  await row.getByText('yes').waitFor(PATIENCE)
  const revoke = row.getByRole('button', { name: 'Revoke' })
  await revoke.focus()
  await page.keyboard.press('Enter')
  await page.locator('dialog[open]').waitFor(PATIENCE)
  await page.keyboard.press('Escape')
  await page.locator('dialog').waitFor({ state: 'detached', ...PATIENCE })
  t.match(await row.innerText(), /active/, 'Escape changes nothing')
  await revoke.focus()
  await page.keyboard.press('Enter')
  await page.locator('dialog[open]').waitFor(PATIENCE)
  if (screenshots !== undefined) await page.screenshot({ path: join(screenshots, 'operator-revoke.png') })
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await row.getByText('suspended').waitFor(PATIENCE)
  await row.getByText('revoked').waitFor(PATIENCE)
  await row.getByText('no', { exact: true }).waitFor(PATIENCE)
  t.equal(await revoke.isDisabled(), true)
  await page.context().close()
})

t.test('tells whoever is no operator so, and shows nothing', async t => {
  const { cert, key } = desk
  await Promise.all([writeFile(file('desk.pem'), cert), writeFile(file('desk.key'), key)])
  const { page } = await openPage({ certPath: file('desk.pem'), keyPath: file('desk.key') })
  await page.getByText('is not an operator’s').waitFor(PATIENCE)
  t.equal(await page.locator('table').count(), 0)
  await page.context().close()
})
