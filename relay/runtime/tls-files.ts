import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { RelayFault } from '../wire/fault.ts'

/** PEM files of one end of a TLS connection. */
export interface TlsFileNames {
  /** The certificate chain that is shown; with its key, or neither. */
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
  /** What is trusted instead of the usual certificates. */
  readonly caFile?: string | undefined
}

/** What they hold, PEM; what is absent was not named. */
export interface TlsMaterial {
  readonly cert?: Buffer
  readonly key?: Buffer
  readonly ca?: Buffer
}

const NAMES = { cert: 'certFile', key: 'keyFile', ca: 'caFile' } as const

/** The TLS material of a program that runs for long: files that were replaced, as by a renewal, are read anew. */
export class TlsFiles {
  readonly #names: TlsFileNames
  #material: TlsMaterial = {}
  #seen: string | undefined

  constructor(names: TlsFileNames) {
    this.#names = names
  }

  /**
   * @returns What the files hold, and the same object as long as they are the same. Files that cannot be used, as in
   *   the middle of being replaced, leave it as it was.
   * @throws {RelayFault} `bad_config` when they never could be used.
   */
  read(): TlsMaterial {
    try {
      const seen = this.#look()
      if (seen === this.#seen) return this.#material
      this.#material = this.#readAll()
      this.#seen = seen
    } catch (cause) {
      if (this.#seen === undefined) throw cause instanceof RelayFault ? cause : new RelayFault('bad_config', 'the certificate, its key or the certificates to trust cannot be read', { cause })
    }
    return this.#material
  }

  #look(): string {
    return Object.values(NAMES).map(name => {
      const path = this.#names[name]
      if (path === undefined) return ''
      const { ino, size, mtimeMs } = statSync(path)
      return `${ino}.${size}.${mtimeMs}`
    }).join()
  }

  #readAll(): TlsMaterial {
    const entries = Object.entries(NAMES).flatMap(([part, name]) => {
      const path = this.#names[name]
      return path === undefined ? [] : [[part, readFileSync(path)] as const]
    })
    const material = Object.fromEntries(entries) as TlsMaterial
    const { cert, key } = material
    if ((cert === undefined) !== (key === undefined)) throw new RelayFault('bad_config', 'a certificate goes with its key, and a key with its certificate')
    if (cert !== undefined && key !== undefined && !new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new RelayFault('bad_config', 'the key is not that of the certificate')
    return material
  }
}
