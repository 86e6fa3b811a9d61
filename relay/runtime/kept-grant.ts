import { z } from 'zod'
import { AdmissionRefusal, AdmissionShortage } from '../wire/admission.ts'
import { FAULT_CODES, FINAL_ACCESS_FAULTS, RelayFault, toFault } from '../wire/fault.ts'
import { GrantAnswer } from '../wire/grant.ts'
import { askNode } from './node-request.ts'
import type { Agent } from 'node:https'
import type { FaultCode } from '../wire/fault.ts'
import type { GrantRequest } from '../wire/grant.ts'
import type { NodeAnswer } from './node-request.ts'
import type { TlsMaterial } from './tls-files.ts'

const MOST_BYTES = 64 * 1024
const PATIENCE_MILLIS = 10_000
/** While a renewal fails in passing, it is tried so often. */
const RETRY_MILLIS = 5000
/** What is left of a grant that is not begun anything with any more. */
const SPARE_MILLIS = 2000

const Refusal = z.looseObject({ code: z.enum(FAULT_CODES), shortage: AdmissionShortage.optional() })
const FINAL: ReadonlySet<FaultCode> = new Set(FINAL_ACCESS_FAULTS)

/** What opens a node's door: a token, and what the connection is made with that it is presented over. */
export interface Entry {
  readonly token: string
  readonly tls: TlsMaterial
  /** It opened the door. */
  accepted(): void
}

/** Who is asked, and as whom. */
export interface GrantDoor {
  /** Scheme, host and port of the node's members' door. */
  readonly origin: string
  readonly tls: TlsMaterial
  readonly agent: Agent | false
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** A grant of one client certificate, renewed while somebody holds it. @see RFC 8705 section 3 */
export class KeptGrant implements Entry {
  readonly #door: GrantDoor
  #token: string
  /** Monotonic milliseconds. */
  #endsAt: number
  #renewAt: number
  #holders = 0
  #timer: NodeJS.Timeout | undefined
  #renewing: Promise<void> | undefined
  #isOver = false
  #wasAccepted = false

  private constructor(door: GrantDoor, answer: GrantAnswer, answeredAt: number, nodeMillis: number) {
    this.#door = door
    ;[this.#token, this.#endsAt, this.#renewAt] = ['', 0, 0]
    this.#take(answer, answeredAt, nodeMillis)
  }

  /** @throws {RelayFault} the node's own code; `unavailable`, `timeout`; `bad_config` for a node that stands alone. */
  static async ask(door: GrantDoor, request: GrantRequest): Promise<KeptGrant> {
    const { answer, nodeMillis } = await post(door, '/access/grants', request)
    return new KeptGrant(door, answer, door.now(), nodeMillis)
  }

  get token(): string {
    return this.#token
  }

  get tls(): TlsMaterial {
    return this.#door.tls
  }

  /** Renews it when half of its time has passed. @returns Whether something can be begun with it. */
  async freshen(): Promise<boolean> {
    if (this.#isUsable() && this.#door.now() >= this.#renewAt) await this.renew().catch(() => undefined)
    return this.#isUsable()
  }

  /** Whether it ever opened the door. */
  get wasAccepted(): boolean {
    return this.#wasAccepted
  }

  accepted(): void {
    this.#wasAccepted = true
  }

  /** Renews it in time until disposed of. */
  hold(): Disposable {
    this.#holders++
    this.#schedule()
    let isHeld = true
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return
        isHeld = false
        if (--this.#holders === 0) clearTimeout(this.#timer)
      },
    }
  }

  /** @throws {RelayFault} as {@link ask}; of what asking again does not cure it is over. */
  renew(): Promise<void> {
    return (this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined)))
  }

  #isUsable(): boolean {
    return !this.#isOver && this.#door.now() < this.#endsAt - SPARE_MILLIS
  }

  async #renew(): Promise<void> {
    try {
      const { answer, nodeMillis } = await post(this.#door, '/access/grants/renew', undefined, this.#token)
      this.#take(answer, this.#door.now(), nodeMillis)
    } catch (error) {
      if (FINAL.has(toFault(error).code)) this.#isOver = true
      throw error
    }
  }

  /** The node's clock may be another than ours: only how long it is from its answer counts. */
  #take({ token, validUntilMillis }: GrantAnswer, answeredAt: number, nodeMillis: number): void {
    const lifetime = Math.max(0, validUntilMillis - nodeMillis)
    this.#token = token
    this.#endsAt = answeredAt + lifetime
    this.#renewAt = answeredAt + lifetime / 2
  }

  #schedule(afterMillis = Math.max(1000, this.#renewAt - this.#door.now())): void {
    clearTimeout(this.#timer)
    if (this.#holders === 0 || !this.#isUsable()) return
    this.#timer = setTimeout(() => {
      // Whoever holds it hears from the node when it has ended.
      this.renew().then(() => this.#schedule(), () => this.#schedule(RETRY_MILLIS))
    }, afterMillis).unref()
  }
}

async function post({ origin, tls, agent }: GrantDoor, path: string, body: unknown, token?: string): Promise<{ answer: GrantAnswer; nodeMillis: number }> {
  const response = await askNode({ method: 'POST', origin, path, tls, agent, body: body ?? {}, token, mostBytes: MOST_BYTES, withinMillis: PATIENCE_MILLIS })
  if (response.status === 404) throw new RelayFault('bad_config', 'this node stands on no platform, or this is not its door for members: leave the certificate out, or name the door with --node')
  if (response.status !== 200) throw refusalOf(response)
  const parsed = GrantAnswer.safeParse(parse(response))
  if (!parsed.success) throw new RelayFault('unavailable', 'the answer is not that of a node')
  return { answer: parsed.data, nodeMillis: response.dateMillis ?? Date.now() }
}

function refusalOf(response: NodeAnswer): RelayFault {
  const refusal = Refusal.safeParse(parse(response))
  // Names the link, what it lacks and what would fit.
  if (refusal.data?.shortage !== undefined) return new AdmissionRefusal(refusal.data.shortage)
  return new RelayFault(refusal.success ? refusal.data.code : 'unavailable', 'the node refused a grant')
}

function parse({ body }: NodeAnswer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    // What it is not, the schema says.
    return undefined
  }
}
