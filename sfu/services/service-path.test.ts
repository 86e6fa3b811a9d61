import { t } from 'tap'
import { isServiceAddress } from './service-address.ts'
import { parseServiceTarget, rewriteLocation } from './service-path.ts'

t.test('a plain path goes to the service that it names, with its query', async t => {
  t.match(parseServiceTarget('/services/pacs/studies/1.2.3/frames/1,2?limit=5&PatientID=a%2Fb'), { serviceId: 'pacs', path: '/studies/1.2.3/frames/1,2?limit=5&PatientID=a%2Fb' })
  t.match(parseServiceTarget('/services/pacs'), { serviceId: 'pacs', path: '/' })
  t.match(parseServiceTarget('/services/pacs/a%20b/'), { path: '/a%20b/' })
})

t.test('what could be read in two ways is refused', async t => {
  const hostile = [
    'http://evil.example/services/pacs/', '//evil.example/services/pacs', '/services/', '/services', '/services//x', '*', 'evil.example:443',
    '/services/pacs/../other/', '/services/pacs/./x', '/services/../metrics', '/services/pacs/%2e%2e/x', '/services/pacs/.%2E/x', '/services/pacs/..',
    '/services/pacs/a%2fb', '/services/pacs/a%2Fb', '/services/pacs/a%5cb', '/services/pacs/a\\b', '/services/pacs/%252e%252e/x',
    '/services/pacs@evil.example/', '/services/pacs/@evil.example/', '/services/pacs:80@evil.example/', '/services/pacs//evil.example/x', '/services/pacs/a//b',
    '/services/http:%2f%2fevil.example/', '/services/127.0.0.1:80/x', '/services/[::1]/x', '/services/evil.example%2f/x',
    '/services/pacs/a%0d%0aHost:%20evil', '/services/pacs/a\r\nb', '/services/pacs/a%00b', '/services/pacs/a%7fb', '/services/pacs/a b', '/services/pacs/検',
    '/services/pacs/x?a=%0d%0ab', '/services/pacs/x?a=\u0000', '/services/pacs/x#y', '/services/pacs/x%', '/services/pacs/x%zz',
    `/services/pacs/${'x'.repeat(2100)}`, `/services/pacs/x?${'y'.repeat(4200)}`, `/services/${'s'.repeat(65)}/x`, '/services/.hidden/x',
  ]
  for (const target of hostile) t.throws(() => parseServiceTarget(target), { code: 'bad_message' }, JSON.stringify(target).slice(0, 60))
})

t.test('no octets make it throw anything else, or let a path leave its service', async t => {
  const alphabet = ['/', '.', '..', '%2e', '%2f', '%', '\\', '@', ':', '?', '#', 'a', '\r', '\n', ' ', '//', 'services', 'pacs', '\u0000', 'é']
  let seed = 1
  const next = (): string => alphabet[(seed = (seed * 48_271) % 2_147_483_647) % alphabet.length] ?? ''
  let taken = 0
  for (let index = 0; index < 100_000; index += 1) {
    const target = `/services/pacs/${Array.from({ length: 1 + (index % 6) }, next).join('')}`
    try {
      const { path } = parseServiceTarget(target)
      taken += 1
      const url = new URL(`https://pacs.example${path}`)
      if (url.origin !== 'https://pacs.example' || `${url.pathname}${url.search}` !== path) t.fail(JSON.stringify(target))
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'bad_message') t.fail(JSON.stringify(target))
    }
  }
  t.ok(taken > 1000, 'some are paths')
})

t.test('a place of the same origin is rewritten, another is not passed on', async t => {
  const origin = 'https://pacs.example'
  const target = parseServiceTarget('/services/pacs/a/b')
  for (const [location, expected] of [['/x?y=1', '/services/pacs/x?y=1'], ['c', '/services/pacs/a/c'], ['https://pacs.example/z', '/services/pacs/z'], ['https://pacs.example:443/z', '/services/pacs/z']] as const) {
    t.equal(rewriteLocation(location, origin, target), expected, location)
  }
  for (const location of ['https://evil.example/', '//evil.example/', 'http://pacs.example/', 'https://pacs.example:8443/', 'https://u:p@pacs.example/', 'https://pacs.example@evil.example/', 'javascript:alert(1)', '\\\\evil.example/', '//', '/a%2fb', '/a//b']) {
    t.equal(rewriteLocation(location, origin, target), undefined, location)
  }
})

t.test('services live where networks lead, and on this machine only where the registry says so', async t => {
  for (const address of ['192.0.43.10', '10.1.2.3', '192.168.1.1', '100.64.0.1', '2606:4700::1', 'fd00::1', '::ffff:10.0.0.1']) t.ok(isServiceAddress(address, 'routable'), address)
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', '169.254.169.254', 'fe80::1', '::ffff:127.0.0.1', '::ffff:169.254.169.254']) {
    t.notOk(isServiceAddress(address, 'routable'), address)
    t.ok(isServiceAddress(address, 'local'), address)
  }
  for (const address of ['0.0.0.0', '::', '224.0.0.1', 'ff02::1', '255.255.255.255', '64:ff9b::7f00:1', '2002:7f00:1::', '2001::1', 'pacs', '']) t.notOk(isServiceAddress(address, 'local'), address)
})
