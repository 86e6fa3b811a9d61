import { once } from 'node:events'
import { request } from 'node:https'
import { FAULT_CODES, RelayFault } from '../../wire/fault.ts'
import type { IncomingMessage } from 'node:http'
import type { CoreCredentials } from './core-client.ts'

/** An answer of the core is no longer than this. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024
const PATIENCE_MILLIS = 15_000

/** One question to the core. */
export interface CoreQuestion {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: string
  readonly body?: unknown
}

/** Asks the core once. @returns Its answer, JSON. @throws {RelayFault} the core's own code; `unavailable` when it cannot be reached. */
export async function askCore(url: string, credentials: CoreCredentials, { method, path, body }: CoreQuestion): Promise<unknown> {
  const payload = body === undefined ? undefined : JSON.stringify(body)
  const headers = payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }
  const asking = request(new URL(path, url), { method, headers, ...credentials, minVersion: 'TLSv1.3', agent: false, signal: AbortSignal.timeout(PATIENCE_MILLIS) })
  asking.end(payload)
  let response: IncomingMessage
  let text: string
  try {
    ;[response] = (await once(asking, 'response')) as [IncomingMessage]
    text = await read(response)
  } catch (cause) {
    throw cause instanceof RelayFault ? cause : new RelayFault('unavailable', 'the core cannot be reached', { cause })
  }
  const status = response.statusCode ?? 500
  const answer = parse(text)
  if (status < 300) return answer
  const { code, message } = (answer ?? {}) as { code?: string; message?: string }
  throw new RelayFault(FAULT_CODES.find(each => each === code) ?? 'internal', message ?? `the core answers ${status}`)
}

async function read(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    length += part.length
    if (length > MAX_ANSWER_BYTES) throw new RelayFault('bad_message', 'the core answers at too great length')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : (JSON.parse(text) as unknown)
  } catch {
    return undefined
  }
}
