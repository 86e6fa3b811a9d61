import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { replaceDurably } from '../../runtime/durable-file.ts'
import { FacilityId, NodeId } from '../../wire/access.ts'
import { RelayFault } from '../../wire/fault.ts'
import { readRequest } from './certificate-request.ts'
import { isPlainHostName } from './certificate.ts'
import type { AuditActor } from '../../wire/audit-event.ts'
import type { RegistryDraft, RegistryLedger } from '../registry/registry-ledger.ts'
import type { Sha256 } from '../../wire/ids.ts'
import type { IssuedCertificate } from './ca-ledger.ts'
import type { PlatformCa } from './platform-ca.ts'

const MAX_FILE_BYTES = 32 * 1024
/** More files than this are not looked at. */
const MAX_FILES = 1000
const PEM = z.string().min(1).max(16 * 1024)

/** What a facility asks for on behalf of one of its machines: the file that is sent to the operator. Nothing in it is secret. */
export const EnrolmentRequest = z.strictObject({
  facilityId: FacilityId,
  nodeId: NodeId,
  kind: z.enum(['node', 'agent']),
  /** Host names by which a node is reached; none for an agent. */
  hostNames: z.array(z.string().refine(isPlainHostName, 'expected a host name')).max(16),
  requestPem: PEM,
})
export type EnrolmentRequest = z.infer<typeof EnrolmentRequest>

/** What the operator sends back. Nothing in it is secret. */
export const EnrolmentAnswer = z.strictObject({
  facilityId: FacilityId,
  nodeId: NodeId,
  /** The certificate and the issuing CA's. */
  chainPem: PEM,
  rootPem: PEM,
  crlPem: z.string().max(4 * 1024 * 1024),
})
export type EnrolmentAnswer = z.infer<typeof EnrolmentAnswer>

/** A request that waits for the operator. */
export interface PendingRequest {
  readonly request: EnrolmentRequest
  /** SHA-256 of the public key: what both sides compare by telephone. */
  readonly keyThumbprint: Sha256
  readonly path: string
}

/** A step of the ceremony, for the record. */
export type CeremonyTidings =
  | { readonly kind: 'ceremony'; readonly step: 'approved' | 'refused' | 'issued' | 'left'; readonly facilityId: FacilityId; readonly nodeId: NodeId; readonly certificate?: string }
  | { readonly kind: 'revocation'; readonly revoked: { readonly what: 'certificate'; readonly certificate: string }; readonly endedGrants: [] }

/** What the ceremony stands on. */
export interface EnrolmentOptions {
  /** Of the core; `requests/` and `answers/` in it are used. */
  readonly folder: string
  readonly ca: PlatformCa
  readonly registry: RegistryLedger
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Returns once it is recorded. @throws {RelayFault} `not_recorded`; then nothing happens. */
  readonly record: (tidings: CeremonyTidings, by: AuditActor) => Promise<void>
}

/** How a machine of a facility comes to its certificate: a file in `requests/`, an operator who approves it, a file in `answers/`. */
export class Enrolment {
  readonly #options: EnrolmentOptions
  readonly #requests: string
  readonly #answers: string
  readonly #known = new Map<string, { readonly version: string; readonly pending: PendingRequest | undefined }>()
  #work: Promise<unknown> = Promise.resolve()

  private constructor(options: EnrolmentOptions) {
    this.#options = options
    this.#requests = join(options.folder, 'requests')
    this.#answers = join(options.folder, 'answers')
  }

  static async open(options: EnrolmentOptions): Promise<Enrolment> {
    const enrolment = new Enrolment(options)
    await Promise.all([enrolment.#requests, enrolment.#answers].map(path => mkdir(path, { recursive: true, mode: 0o700 })))
    return enrolment
  }

  /** What waits, and how many files are no request. */
  async pending(): Promise<{ waiting: PendingRequest[]; unreadable: number }> {
    const names = (await readdir(this.#requests)).filter(name => name.endsWith('.json')).sort().slice(0, MAX_FILES)
    const read = await Promise.all(names.map(name => this.#readOnce(join(this.#requests, name))))
    for (const path of this.#known.keys()) if (!names.includes(basename(path))) this.#known.delete(path)
    const waiting = read.filter(each => each !== undefined)
    return { waiting, unreadable: read.length - waiting.length }
  }

  /** Puts a facility's request among those that wait. @returns SHA-256 of its key. @throws {RelayFault} `certificate_refused` for one that is not signed with its own key; `overloaded` with too many. */
  bring(request: EnrolmentRequest): Promise<Sha256> {
    return this.#inTurn(async () => {
      const { keyThumbprint } = await readRequest(request.requestPem)
      if ((await readdir(this.#requests)).length >= MAX_FILES) throw new RelayFault('overloaded', 'too many requests wait already')
      await replaceDurably(join(this.#requests, `${keyThumbprint}.json`), JSON.stringify(request))
      return keyThumbprint
    })
  }

  /** What goes back to the facility whose request was approved. @throws {RelayFault} `not_found`. */
  async answerFor(keyThumbprint: Sha256): Promise<EnrolmentAnswer> {
    const text = await readFile(join(this.#answers, `${keyThumbprint}.json`), 'utf8').catch((cause: unknown) => {
      throw new RelayFault('not_found', 'no request with this key was approved', { cause })
    })
    return EnrolmentAnswer.parse(JSON.parse(text))
  }

  /**
   * Issues what was asked for, enters the machine in the registry and leaves the answer for the facility.
   *
   * @param by - Who approves.
   * @param facilityName - What to call a facility that is new.
   * @returns Where the answer is.
   * @throws {RelayFault} `not_found` without such a request; `registry_refused` for a facility that is unknown or
   *   suspended, or a name that another machine has; `conflict` while the machine holds a certificate that is good.
   */
  approve(keyThumbprint: Sha256, by: AuditActor, facilityName?: string): Promise<string> {
    return this.#inTurn(async () => {
      const { ca, registry, now, record } = this.#options
      const { request, path } = await this.#find(keyThumbprint)
      const { facilityId, nodeId, kind, hostNames, requestPem } = request
      requireRoom(request, registry, facilityName)
      const isGood = (each: IssuedCertificate): boolean => each.nodeId === nodeId && each.revokedAtMillis === null && each.notAfterMillis > now()
      if (ca.issued.some(isGood)) throw new RelayFault('conflict', 'this machine holds a good certificate: revoke that first')
      await record({ kind: 'ceremony', step: 'approved', facilityId, nodeId }, by)
      await registry.edit(draft => withMachine(draft, request, facilityName))
      const { entry, chainPem } = await ca.issue(requestPem, { facilityId, nodeId, kind, dnsNames: hostNames }, now())
      await record({ kind: 'ceremony', step: 'issued', facilityId, nodeId, certificate: entry.thumbprint }, by)
      const answer = join(this.#answers, `${keyThumbprint}.json`)
      await replaceDurably(answer, JSON.stringify({ facilityId, nodeId, chainPem, rootPem: ca.rootPem, crlPem: await ca.publishCrls(now()) } satisfies EnrolmentAnswer))
      await rm(path)
      return answer
    })
  }

  /** @throws {RelayFault} `not_found`. */
  reject(keyThumbprint: Sha256, by: AuditActor): Promise<void> {
    return this.#inTurn(async () => {
      const { request: { facilityId, nodeId }, path } = await this.#find(keyThumbprint)
      await this.#options.record({ kind: 'ceremony', step: 'refused', facilityId, nodeId }, by)
      await rm(path)
    })
  }

  /**
   * Revokes every good certificate of a machine and suspends it in the registry.
   *
   * @returns How many certificates were revoked.
   * @throws {RelayFault} `not_found` for a machine that is not in the registry.
   */
  revoke(nodeId: NodeId, by: AuditActor): Promise<number> {
    return this.#inTurn(async () => {
      const { ca, registry, now, record } = this.#options
      const machine = registry.contents.nodes.find(({ id }) => id === nodeId)
      if (machine === undefined) throw new RelayFault('not_found', 'no machine of this name is in the registry')
      const good = ca.issued.filter(each => each.nodeId === nodeId && each.revokedAtMillis === null && each.notAfterMillis > now())
      for (const { thumbprint } of good) await record({ kind: 'revocation', revoked: { what: 'certificate', certificate: thumbprint }, endedGrants: [] }, by)
      await record({ kind: 'ceremony', step: 'left', facilityId: machine.facilityId, nodeId }, by)
      // The registry first: it reaches every node at once, a revocation list when it is fetched.
      await registry.edit(draft => ({
        ...draft,
        nodes: draft.nodes.map(each => (each.id === nodeId ? { ...each, status: 'suspended' as const } : each)),
        revokedCertificates: [...new Set([...draft.revokedCertificates, ...good.map(({ thumbprint }) => thumbprint)])],
      }))
      await ca.revoke(each => each.nodeId === nodeId, now())
      return good.length
    })
  }

  /** Checks the signature of a file once, until it is another. */
  async #readOnce(path: string): Promise<PendingRequest | undefined> {
    const { mtimeMs, size } = await stat(path).catch(() => ({ mtimeMs: 0, size: 0 }))
    const version = `${mtimeMs} ${size}`
    const known = this.#known.get(path)
    if (known?.version === version) return known.pending
    const pending = await readPending(path)
    this.#known.set(path, { version, pending })
    return pending
  }

  async #find(keyThumbprint: Sha256): Promise<PendingRequest> {
    const { waiting } = await this.pending()
    const found = waiting.find(each => each.keyThumbprint === keyThumbprint)
    if (found === undefined) throw new RelayFault('not_found', 'no request with this key is waiting')
    return found
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#work.then(work)
    this.#work = done.catch(() => undefined)
    return done
  }
}

async function readPending(path: string): Promise<PendingRequest | undefined> {
  try {
    const { size } = await stat(path)
    if (size > MAX_FILE_BYTES) return undefined
    const request = EnrolmentRequest.parse(JSON.parse(await readFile(path, 'utf8')))
    return { request, keyThumbprint: (await readRequest(request.requestPem)).keyThumbprint, path }
  } catch {
    return undefined
  }
}

function requireRoom({ facilityId, nodeId, kind }: EnrolmentRequest, { contents }: RegistryLedger, facilityName: string | undefined): void {
  const facility = contents.facilities.find(({ id }) => id === facilityId)
  if (facility === undefined && facilityName === undefined) throw new RelayFault('registry_refused', 'this facility is new: name it')
  if (facility?.status === 'suspended') throw new RelayFault('registry_refused', 'this facility is suspended')
  const machine = contents.nodes.find(({ id }) => id === nodeId)
  if (machine !== undefined && (machine.facilityId !== facilityId || machine.kind !== kind)) throw new RelayFault('registry_refused', 'another machine has this name')
}

function withMachine(draft: RegistryDraft, { facilityId, nodeId: id, kind }: EnrolmentRequest, displayName: string | undefined): RegistryDraft {
  const isKnown = draft.facilities.some(each => each.id === facilityId)
  const facilities = isKnown || displayName === undefined ? draft.facilities : [...draft.facilities, { id: facilityId, displayName, status: 'active' as const }]
  return { ...draft, facilities, nodes: [...draft.nodes.filter(each => each.id !== id), { id, facilityId, kind, status: 'active' }] }
}
