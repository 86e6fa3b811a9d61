import { FAULT_CODES, RelayFault } from '../../../relay/wire/fault.ts'
import { AuditSearchAnswer, OperatorOverview } from '../../../relay/wire/operator.ts'
import type { AuditSearch } from '../../../relay/wire/operator.ts'

/** An answer that takes longer is none. A search waits for nodes up to 10 s. */
const PATIENCE_MILLIS = 20_000

/** Asks the core that the page came from, with the certificate that the browser shows it. */
async function ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
  const content = method === 'GET' ? {} : { body: JSON.stringify(body ?? {}), headers: { 'content-type': 'application/json' } }
  const response = await fetch(new URL(path, document.baseURI), { method, ...content, signal: AbortSignal.timeout(PATIENCE_MILLIS) }).catch((cause: unknown) => {
    throw new RelayFault('unavailable', 'the core does not answer', { cause })
  })
  const answer: unknown = await response.json().catch(() => undefined)
  if (response.ok) return answer
  const { code, message } = (answer ?? {}) as { code?: string; message?: string }
  throw new RelayFault(FAULT_CODES.find(each => each === code) ?? 'internal', message ?? '')
}

/** What the page asks of the core. Each: @throws {RelayFault} the core's own code; `unavailable`. */
export const coreApi = {
  overview: async (): Promise<OperatorOverview> => OperatorOverview.parse(await ask('GET', 'overview')),
  search: async (wanted: Partial<AuditSearch>): Promise<AuditSearchAnswer> => AuditSearchAnswer.parse(await ask('POST', 'audit/search', wanted)),
  bring: (request: unknown): Promise<unknown> => ask('POST', 'requests', request),
  /** @returns SHA-256 of the platform's root. */
  approve: async (key: string, facilityName: string | undefined): Promise<string> => ((await ask('POST', `requests/${key}/approve`, facilityName === undefined ? {} : { facilityName })) as { root: string }).root,
  reject: (key: string): Promise<unknown> => ask('POST', `requests/${key}/reject`),
  revokeMachine: (nodeId: string): Promise<unknown> => ask('POST', `machines/${encodeURIComponent(nodeId)}/revoke`),
  revokePerson: (practitionerId: string): Promise<unknown> => ask('POST', `practitioners/${encodeURIComponent(practitionerId)}/revoke`),
  quarantine: (serviceId: string): Promise<unknown> => ask('POST', `services/${encodeURIComponent(serviceId)}/quarantine`),
  release: (serviceId: string): Promise<unknown> => ask('POST', `services/${encodeURIComponent(serviceId)}/release`),
}

/** Where the answer to an approved request is downloaded. */
export const answerAddress = (key: string): string => `answers/${key}`
