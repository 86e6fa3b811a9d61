import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { replaceDurably } from '../../runtime/durable-file.ts'
import { RelayFault } from '../../wire/fault.ts'
import { FacilityId, NodeId } from '../../wire/access.ts'
import { Sha256 } from '../../wire/ids.ts'

const Serial = z.string().regex(/^[0-9a-f]{2,40}$/)

/** One certificate that the platform's CA issued. */
export const IssuedCertificate = z.strictObject({
  serial: Serial,
  thumbprint: Sha256,
  facilityId: FacilityId,
  nodeId: NodeId,
  notAfterMillis: z.int(),
  revokedAtMillis: z.int().nullable(),
})
export type IssuedCertificate = z.infer<typeof IssuedCertificate>

const Contents = z.strictObject({ crlNumber: z.int().min(0), issued: z.array(IssuedCertificate).max(100_000) })

/** Which certificates a CA issued and which it revoked, in one file that is replaced whole. */
export class CaLedger {
  readonly #path: string
  #contents: z.infer<typeof Contents>

  private constructor(path: string, contents: z.infer<typeof Contents>) {
    this.#path = path
    this.#contents = contents
  }

  /** @throws {RelayFault} `bad_config` when the file is there and is not what this class wrote. */
  static async open(path: string): Promise<CaLedger> {
    let text: string
    try {
      text = await readFile(path, 'utf8')
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return new CaLedger(path, { crlNumber: 0, issued: [] })
      throw new RelayFault('bad_config', 'the ledger of certificates cannot be read', { cause })
    }
    try {
      return new CaLedger(path, Contents.parse(JSON.parse(text)))
    } catch (cause) {
      throw new RelayFault('bad_config', 'the ledger of certificates is damaged', { cause })
    }
  }

  get issued(): readonly IssuedCertificate[] {
    return this.#contents.issued
  }

  bySerial(serial: string): IssuedCertificate | undefined {
    return this.#contents.issued.find(each => each.serial === serial)
  }

  /** Durable when it settles. */
  async add(entry: IssuedCertificate): Promise<void> {
    await this.#write({ ...this.#contents, issued: [...this.#contents.issued, entry] })
  }

  /** Durable when it settles; what is revoked already keeps its time. @returns What was revoked by this call. */
  async revoke(matches: (entry: IssuedCertificate) => boolean, nowMillis: number): Promise<IssuedCertificate[]> {
    const isMeant = (entry: IssuedCertificate): boolean => entry.revokedAtMillis === null && entry.notAfterMillis > nowMillis && matches(entry)
    const serials = new Set(this.#contents.issued.filter(isMeant).map(({ serial }) => serial))
    if (serials.size === 0) return []
    const issued = this.#contents.issued.map(entry => (serials.has(entry.serial) ? { ...entry, revokedAtMillis: nowMillis } : entry))
    await this.#write({ ...this.#contents, issued })
    return issued.filter(({ serial }) => serials.has(serial))
  }

  /** The number of the next revocation list, durable before it is used. */
  async nextCrlNumber(): Promise<number> {
    await this.#write({ ...this.#contents, crlNumber: this.#contents.crlNumber + 1 })
    return this.#contents.crlNumber
  }

  async #write(contents: z.infer<typeof Contents>): Promise<void> {
    await replaceDurably(this.#path, `${JSON.stringify(contents)}\n`)
    this.#contents = contents
  }
}
