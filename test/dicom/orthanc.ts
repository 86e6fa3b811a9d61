import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

const PLUGIN = '/usr/share/orthanc/plugins/libOrthancDicomWeb.so'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Why Orthanc cannot be started here, or false. */
export const orthancMissing: string | false = existsSync(PLUGIN) && ['/usr/bin', '/usr/sbin'].some(directory => existsSync(join(directory, 'Orthanc'))) ? false : 'orthanc and orthanc-dicomweb not installed'

/** Starts Orthanc, which knows us as `kenkyo`, and sends us these headers. @returns Where it listens. */
export async function startOrthanc(t: Test, ourUrl: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const [directory, port] = [await mkdtemp(join(tmpdir(), 'orthanc-')), await freePort()]
  const config = join(directory, 'orthanc.json')
  await mkdir(join(directory, 'storage'))
  await writeFile(
    config,
    JSON.stringify({
      Name: 'test',
      StorageDirectory: join(directory, 'storage'),
      IndexDirectory: join(directory, 'storage'),
      HttpPort: port,
      DicomServerEnabled: false,
      AuthenticationEnabled: false,
      RemoteAccessAllowed: false,
      Plugins: [PLUGIN],
      DicomWeb: { Enable: true, Root: '/dicom-web/', Servers: { kenkyo: { Url: ourUrl, HttpHeaders: headers } } },
    }),
  )
  const orthanc = spawn('Orthanc', [config], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(orthanc, 'exit')
  t.teardown(async () => {
    orthanc.kill('SIGTERM')
    await exited
    await rm(directory, { recursive: true, force: true })
  })
  for await (const line of createInterface(orthanc.stderr)) if (line.includes('Orthanc has started')) break
  orthanc.stderr.resume()
  return `http://127.0.0.1:${port}`
}
