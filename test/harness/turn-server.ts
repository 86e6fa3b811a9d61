import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ChildProgram } from '../../bench/processes.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'

const START_DEADLINE = millis(10_000)
const SECRET = 'kenkyo test secret, 32 characters'

/** A coturn's configuration before it runs: what the node has to know. */
export class TurnSetup implements AsyncDisposable {
  readonly url: string
  readonly secretFile: string
  readonly #folder: string

  private constructor(url: string, secretFile: string, folder: string) {
    this.url = url
    this.secretFile = secretFile
    this.#folder = folder
  }

  static async make(address: string, tlsPort: number): Promise<TurnSetup> {
    const folder = await mkdtemp(join(tmpdir(), 'kenkyo-turn-'))
    const secretFile = join(folder, 'secret')
    await writeFile(secretFile, `${SECRET}\n`, { mode: 0o600 })
    return new TurnSetup(`turns:${address}:${tlsPort}?transport=tcp`, secretFile, folder)
  }

  /**
   * Starts Debian's coturn, which relays from the same address.
   *
   * @param enter - Words that bring it to where it shall run.
   * @throws {RelayFault} `unavailable` or `timeout`, quoting its last words.
   */
  async start(enter: readonly string[], { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string }): Promise<ChildProgram> {
    const [, address = '', port = ''] = /^turns:([^:]+):(\d+)/.exec(this.url) ?? []
    const configFile = join(this.#folder, 'turnserver.conf')
    const lines = [
      `listening-ip=${address}`, `relay-ip=${address}`, `tls-listening-port=${port}`, 'no-udp', 'no-tcp', 'no-dtls',
      'use-auth-secret', `static-auth-secret=${SECRET}`, 'realm=kenkyo', `cert=${certFile}`, `pkey=${keyFile}`,
      'no-cli', 'no-multicast-peers', 'log-file=stdout', 'new-log-timestamp', `pidfile=${join(this.#folder, 'pid')}`, `userdb=${join(this.#folder, 'db')}`, 'verbose',
    ]
    await writeFile(configFile, `${lines.join('\n')}\n`, { mode: 0o600 })
    await using scope = new AsyncDisposableStack()
    const program = scope.use(await ChildProgram.start({ name: 'coturn', command: 'turnserver', args: ['-c', configFile], enter }))
    await program.line(line => (/TLS listener opened/.test(line) ? true : undefined), START_DEADLINE, AbortSignal.timeout(START_DEADLINE)).catch((cause: unknown) => {
      throw new RelayFault('unavailable', 'coturn does not start', { cause })
    })
    scope.move()
    return program
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}
