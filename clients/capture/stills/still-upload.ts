import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { setImmediate as yieldToEvents } from 'node:timers/promises'
import { FAULT_CODES, RelayFault } from '../../../relay/wire/fault.ts'
import { STILL_HEADER, STILL_SHA256_HEADER } from '../../../relay/wire/still.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { NodeAccess } from '../../../relay/runtime/node-access.ts'
import type { Clock } from '../../../relay/runtime/clock.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { StillId } from '../../../relay/wire/ids.ts'
import type { StillDescription } from '../../../relay/wire/still.ts'
import type { BitsPerSecond } from '../../../relay/wire/units.ts'

/** Bytes that are copied, hashed or sent at once: no frame is held up meanwhile. */
const PIECE_BYTES = 256 * 1024
/** A node that answers nothing for so long is given up, in milliseconds. */
const ANSWER_MILLIS = 60_000

/** One upload. */
export interface StillUpload {
  readonly stillId: StillId
  readonly description: StillDescription
  readonly planes: Uint8Array
  /** Beside live pictures it takes no more; undefined: as fast as it goes. */
  readonly rate: BitsPerSecond | undefined
}

function* pieces(planes: Uint8Array): Generator<Buffer> {
  // A copy of each: what is shared with another thread no socket takes.
  for (let at = 0; at < planes.length; at += PIECE_BYTES) yield Buffer.from(planes.subarray(at, at + PIECE_BYTES))
}

async function digestOf(planes: Uint8Array): Promise<string> {
  const hash = createHash('sha256')
  for (const piece of pieces(planes)) {
    hash.update(piece)
    await yieldToEvents()
  }
  return hash.digest('hex')
}

/**
 * Sends the planes of a still to the node; it is kept when this resolves.
 *
 * @throws {RelayFault} the node's code; `unavailable` when it cannot be reached or goes away; the signal's reason.
 */
export async function uploadStill({ stillId, description, planes, rate }: StillUpload, access: NodeAccess, clock: Clock, signal: AbortSignal): Promise<void> {
  const sha256 = await digestOf(planes)
  const { token, tls } = await access.entry(signal)
  const url = new URL(`/stills/${stillId}/planes`, access.address.origin)
  const upload = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    ...tls, method: 'PUT', signal, timeout: ANSWER_MILLIS,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/octet-stream',
      'content-length': planes.length,
      [STILL_HEADER]: JSON.stringify(description),
      [STILL_SHA256_HEADER]: sha256,
    },
  })
  upload.once('timeout', () => upload.destroy(new RelayFault('timeout', 'the node does not answer')))
  const answer = answerOf(upload)
  try {
    await Promise.race([answer, send(upload, planes, rate, clock, signal).then(() => answer)])
  } catch (error) {
    answer.catch(() => undefined)
    upload.destroy()
    throw error instanceof RelayFault ? error : new RelayFault('unavailable', 'the node cannot be reached', { cause: error })
  }
}

type Upload = ReturnType<typeof httpRequest>

async function send(upload: Upload, planes: Uint8Array, rate: BitsPerSecond | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
  const startedAt = clock.now()
  let sent = 0
  for (const piece of pieces(planes)) {
    if (rate !== undefined) {
      const due = startedAt + (sent * 8000) / rate
      if (due > clock.now()) await clock.sleep(millis(due - clock.now()), signal)
    }
    if (!upload.write(piece)) await once(upload, 'drain', { signal })
    else await yieldToEvents()
    sent += piece.length
  }
  upload.end()
}

/** Resolves with success, rejects with what the node says. */
function answerOf(upload: Upload): Promise<void> {
  return new Promise((resolve, reject) => {
    upload.once('error', reject)
    upload.once('response', response => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.length < 16 && parts.push(part))
      response.once('error', reject)
      response.once('end', () => {
        if (response.statusCode === 204) resolve()
        else reject(new RelayFault(codeOf(Buffer.concat(parts)), 'the node refused a still'))
      })
    })
  })
}

function codeOf(body: Buffer): FaultCode {
  try {
    const { code } = JSON.parse(body.toString('utf8')) as { code?: unknown }
    return FAULT_CODES.find(known => known === code) ?? 'unavailable'
  } catch {
    // Not this program's answer: something stands between.
    return 'unavailable'
  }
}
