import { millis } from '../../relay/wire/units.ts'
import type { TrafficClass } from '../../relay/wire/link.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { SimulatedEnd } from './link-simulation.ts'
import type { Load } from './random-network.ts'
import type { VirtualTime } from './virtual-time.ts'

/** Message classes in one place. */
export const MESSAGE_CLASSES = ['control', 'tiles', 'bulk'] as const
export type MessageClassId = (typeof MESSAGE_CLASSES)[number]

/** One packet or message, in milliseconds of simulated time. */
export interface BookEntry {
  readonly sentAt: number
  readonly size: number
  readonly flow: number
  /** Infinity until it arrives. */
  arrivedAt: number
  arrivals: number
  /** Whether its sender was told of its arrival. */
  isTold: boolean
}

/** What is wrong with what arrived, counted. */
export interface Mistakes {
  disorders: number
  damaged: number
  /** Of what was never sent. */
  unknown: number
}

const HEADER_BYTES = 5
/** Bulk that waits at the sender for its turn: enough for so long. */
const BULK_AHEAD_SECONDS = 0.4
const BULK_EVERY = millis(20)

/** Sends one end's load and keeps book of what became of every packet and message of it. */
export class TrafficBook {
  readonly live: BookEntry[] = []
  readonly messages: Readonly<Record<MessageClassId, BookEntry[]>> = { control: [], tiles: [], bulk: [] }
  readonly mistakes: Readonly<Record<TrafficClass, Mistakes>> = { live: mistakes(), control: mistakes(), tiles: mistakes(), bulk: mistakes() }
  readonly #time: VirtualTime
  readonly #from: SimulatedEnd
  readonly #random: () => number
  readonly #until: number
  readonly #tickets: Readonly<Record<MessageClassId, Map<number, number>>> = { control: new Map(), tiles: new Map(), bulk: new Map() }
  readonly #lastOfFlow = new Map<number, number>()
  #lastControl = -1
  #bulkUnarrived = 0

  constructor(time: VirtualTime, from: SimulatedEnd, to: SimulatedEnd, { load, random, until, reach }: { readonly load: Load; readonly random: () => number; readonly until: Millis; readonly reach: number }) {
    this.#time = time
    this.#from = from
    this.#random = random
    this.#until = until
    to.hooks = { ...to.hooks, live: (flow, payload) => this.#gotLive(flow, payload), message: (id, body) => this.#gotMessage(id, body) }
    from.hooks = { ...from.hooks, arrived: (id, ticket) => this.#told(id, ticket) }
    this.#start(load, reach)
  }

  /** Messages that have not arrived, of all classes. */
  get openMessages(): number {
    return MESSAGE_CLASSES.reduce((sum, id) => sum + this.messages[id].filter(({ arrivals }) => arrivals === 0).length, 0)
  }

  #start({ live, control, tiles, bulkBytes }: Load, reach: number): void {
    if (live !== undefined) {
      const perClump = (live.bitsPerSecond * live.everyMillis) / 8000
      let owed = 0
      this.#every(() => live.everyMillis, () => {
        for (owed += perClump; owed > 0; owed -= this.#sendLive(Math.floor(live.flows * this.#random()), this.#size(live.mostBytes)));
      })
    }
    for (const [id, load] of [['control', control], ['tiles', tiles]] as const) {
      if (load !== undefined) this.#every(() => -Math.log(1 - this.#random()) * load.everyMillis, () => void this.#sendMessage(id, this.#size(load.mostBytes)))
    }
    if (bulkBytes === undefined) return
    this.#every(() => BULK_EVERY, () => {
      while (this.#bulkUnarrived < (BULK_AHEAD_SECONDS * reach) / 8) if (!this.#sendMessage('bulk', this.#size(bulkBytes))) break
    })
  }

  #every(interval: () => number, action: () => void): void {
    const again = (): void => {
      if (this.#time.now >= this.#until) return
      if (this.#from.isAwake) action()
      this.#time.after(millis(interval()), again)
    }
    this.#time.after(millis(interval() + 20 * this.#random()), again)
  }

  #size(most: number): number {
    return Math.max(HEADER_BYTES, Math.round(most * (0.5 + 0.5 * this.#random())))
  }

  #sendLive(flow: number, size: number): number {
    this.live.push({ sentAt: this.#time.now, size, flow, arrivedAt: Infinity, arrivals: 0, isTold: false })
    this.#from.sendLive(flow, fill(this.live.length - 1, size))
    return size
  }

  #sendMessage(id: MessageClassId, size: number): boolean {
    const entries = this.messages[id]
    const ticket = this.#from.endpoint.sendMessage(id, fill(entries.length, size), this.#from.now)
    if (ticket === undefined) return false
    this.#tickets[id].set(ticket, entries.length)
    entries.push({ sentAt: this.#time.now, size, flow: 0, arrivedAt: Infinity, arrivals: 0, isTold: false })
    if (id === 'bulk') this.#bulkUnarrived += size
    return true
  }

  #gotLive(flow: number, payload: Buffer): void {
    const index = this.#got('live', this.live, payload)
    if (index === undefined) return
    if (this.live[index]?.flow !== flow) this.mistakes.live.damaged++
    if (index < (this.#lastOfFlow.get(flow) ?? -1)) this.mistakes.live.disorders++
    this.#lastOfFlow.set(flow, index)
  }

  #gotMessage(id: TrafficClass, body: Buffer): void {
    if (id === 'live') return
    const index = this.#got(id, this.messages[id], body)
    if (index === undefined || id !== 'control') return
    if (index !== this.#lastControl + 1) this.mistakes.control.disorders++
    this.#lastControl = index
  }

  #got(id: TrafficClass, entries: readonly BookEntry[], body: Buffer): number | undefined {
    const index = body.length < HEADER_BYTES ? -1 : body.readUInt32BE(0)
    const entry = entries[index]
    if (entry === undefined) {
      this.mistakes[id].unknown++
      return undefined
    }
    if (body.length !== entry.size || !isFilled(index, body)) this.mistakes[id].damaged++
    entry.arrivals++
    if (entry.arrivedAt === Infinity) entry.arrivedAt = this.#time.now
    return index
  }

  #told(id: TrafficClass, ticket: number): void {
    if (id === 'live') return
    const index = this.#tickets[id].get(ticket)
    const entry = index === undefined ? undefined : this.messages[id][index]
    if (entry === undefined || entry.isTold || entry.arrivals === 0) {
      this.mistakes[id].unknown++
      return
    }
    entry.isTold = true
    if (id === 'bulk') this.#bulkUnarrived -= entry.size
  }
}

function mistakes(): Mistakes {
  return { disorders: 0, damaged: 0, unknown: 0 }
}

/** A body that says which one it is, and whose every byte depends on that and on its place. */
function fill(index: number, size: number): Buffer {
  const body = Buffer.alloc(size, index & 0xff)
  body.writeUInt32BE(index, 0)
  for (let at = HEADER_BYTES; at < size; at += 97) body[at] = (index * 31 + at) & 0xff
  return body
}

function isFilled(index: number, body: Buffer): boolean {
  for (let at = HEADER_BYTES; at < body.length; at += 97) if (body[at] !== ((index * 31 + at) & 0xff)) return false
  return body.length <= HEADER_BYTES + 1 || body[HEADER_BYTES + 1] === (index & 0xff)
}
