/** Debian's sslscan at every TLS listener of a core and of a node on a platform. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import { t } from 'tap'
import { findFreePorts } from '../../bench/free-ports.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { TWO_FACILITIES, UNIVERSITY, PlatformUnderTest } from '../harness/platform-under-test.ts'
import type { ClientTls } from '../harness/raw-client.ts'

t.setTimeout(180_000)

/** What sslscan says of one listener. */
interface Scan {
  readonly protocols: string
  readonly ciphers: string
}

async function scan(port: number): Promise<Scan> {
  const { stdout } = await promisify(execFile)('sslscan', ['--no-colour', '--no-heartbleed', '--no-check-certificate', '--sni-name=localhost', `127.0.0.1:${port}`], { timeout: 60_000 })
  const protocols = [...stdout.matchAll(/^(SSLv\d|TLSv1\.\d) +enabled$/gm)].map(([, name]) => name)
  const ciphers = [...stdout.matchAll(/^(?:Preferred|Accepted) +(\S+) +\d+ bits +(\S+)/gm)].map(([, version, name]) => `${version} ${name}`)
  return { protocols: protocols.join(', '), ciphers: ciphers.join(', ') }
}

/** Whether an HTTP request gets an answer, without a certificate or with one. */
async function answers(port: number, tls: ClientTls): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ...tls, minVersion: 'TLSv1.3' })
  socket.on('error', () => undefined)
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(10_000) })
    socket.write('GET /access HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
    let text = ''
    for await (const part of socket as AsyncIterable<Buffer>) text += part.toString()
    return text.startsWith('HTTP/1.1 ')
  } catch {
    return false
  }
}

t.test('every listener speaks TLS 1.3 alone, and those of machines answer nobody without a certificate', async t => {
  const platform = await PlatformUnderTest.open()
  t.teardown(() => platform[Symbol.asyncDispose]())
  await platform.setRegistry(TWO_FACILITIES)
  const own = await platform.credentials('university-node', UNIVERSITY)
  const file = (name: string): string => join(platform.folder, name)
  await Promise.all([writeFile(file('node.pem'), own.cert), writeFile(file('node.key'), own.key), writeFile(file('ca.pem'), own.ca)])
  const signInListenPort = await findFreePorts(1)
  const node = await NodeUnderTest.open({
    coreUrl: platform.url, nodeCertFile: file('node.pem'), nodeKeyFile: file('node.key'), platformCaFile: file('ca.pem'), registryKeyFile: platform.registryKeyFile, membersListenPort: 0,
    tlsCertFile: file('node.pem'), tlsKeyFile: file('node.key'), signInListenPort, signInCaFile: file('ca.pem'), slides: false,
  })
  t.teardown(() => node[Symbol.asyncDispose]())
  const ca = await readFile(file('ca.pem'))
  const listeners = [
    { name: 'core, members\' door', port: platform.core.port, isMutual: true },
    { name: 'node, members\' door', port: node.node.membersPort ?? 0, isMutual: true },
    // Asks for a certificate, and tells a person without one in a page that it signed nobody in.
    { name: 'node, sign-in with cards', port: signInListenPort, isMutual: false },
    { name: 'node, pages and signaling', port: Number(new URL(node.node.origin).port), isMutual: false },
  ]
  const rows: string[] = []
  for (const { name, port, isMutual } of listeners) {
    const { protocols, ciphers } = await scan(port)
    const isOpen = await answers(port, { ca })
    rows.push(`${name.padEnd(28)}${protocols.padEnd(10)}${(isOpen ? 'no' : 'yes').padEnd(22)}${ciphers}`)
    t.equal(protocols, 'TLSv1.3', name)
    t.match(ciphers, /^TLSv1\.3 \w+(, TLSv1\.3 \w+)*$/, name)
    t.equal(isOpen, !isMutual, `${name}: answers without a certificate`)
  }
  t.ok(await answers(node.node.membersPort ?? 0, { ca, cert: own.cert, key: own.key }), 'the same question with a certificate is answered')
  t.comment([`${'listener'.padEnd(28)}${'protocol'.padEnd(10)}${'certificate needed'.padEnd(22)}ciphers`, ...rows].join('\n'))
})
