import { completeContract } from '../../relay/links/link-classes.ts'
import { LinkName, PATH_POLICIES, PathName, TRAFFIC_CLASSES } from '../../relay/wire/link.ts'
import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import { burstLoss } from '../lines/packet-loss.ts'
import { DirectionProfile } from '../lines/profiles.ts'
import { seededRandom } from '../scenarios/viewport-renditions.ts'
import type { LinkContract, TrafficClass } from '../../relay/wire/link.ts'
import type { BitsPerSecond, Millis } from '../../relay/wire/units.ts'
import type { Loss } from '../lines/profiles.ts'

/** One path of a {@link RandomNetwork}. */
export interface NetworkPath {
  readonly up: DirectionProfile
  readonly down: DirectionProfile
  /** Longer IP packets vanish, in bytes. */
  readonly mtu: number
}

/** Something that happens to a network, in milliseconds from its beginning. */
export type NetworkEvent =
  | { readonly kind: 'rate'; readonly at: number; readonly path: number; readonly factor: number }
  | { readonly kind: 'cut'; readonly at: number; readonly until: number; readonly paths: readonly number[] }
  | { readonly kind: 'pause'; readonly at: number; readonly until: number; readonly end: 'initiator' | 'responder'; readonly wakesBySteps: boolean }

/** Packets of flows, in clumps. */
export interface LiveLoad {
  readonly bitsPerSecond: number
  /** From one clump to the next. */
  readonly everyMillis: number
  readonly flows: number
  /** Payloads have from half as many bytes up to as many. */
  readonly mostBytes: number
}

/** Messages at random moments, on average so often, of half as many bytes up to as many. */
export interface MessageLoad {
  readonly everyMillis: number
  readonly mostBytes: number
}

/** What one end sends. */
export interface Load {
  readonly live?: LiveLoad
  readonly control: MessageLoad
  readonly tiles?: MessageLoad
  /** Bulk always waits, in messages of so many bytes. */
  readonly bulkBytes?: number
}

/** A link, its lines, what happens to them and what is sent. All of it follows from the seed. */
export interface RandomNetwork {
  readonly seed: number
  readonly duration: Millis
  readonly contract: LinkContract
  readonly paths: readonly NetworkPath[]
  /** What paths of unknown rate are taken to carry at first. */
  readonly initial: BitsPerSecond
  readonly clockOffset: Millis
  readonly up: Load
  readonly down: Load
  readonly events: readonly NetworkEvent[]
  /** A promise of a policy that the network was drawn to try. */
  readonly focus: 'hitless' | 'failover' | undefined
  /** Who else sends over the first path all the time. */
  readonly competitor: 'cubic' | 'bbr' | 'link' | undefined
}

/** Beside others it takes a while until shares are what they will be. */
const COMPETING_MILLIS = 14_000
/** Datagrams that one network is to have about: what ten thousand networks may take. */
const DATAGRAMS = 2500
const DATAGRAM_BITS = 8 * 1250
/** Microseconds in 32 bits begin anew here, in milliseconds. */
const WRAP = 2 ** 32 / 1000
/** No step of the rate goes below this: a path never sends less than 1 Mbit/s. */
const LEAST_RATE = 1.5e6
/** No line has room for fewer than ten packets. */
const LEAST_QUEUE_BYTES = 15_000

/** Draws a network. @param seed - A positive whole number. */
export function randomNetwork(seed: number): RandomNetwork {
  return new NetworkDraw(seed).draw()
}

class NetworkDraw {
  readonly #seed: number
  readonly #random: () => number

  constructor(seed: number) {
    this.#seed = seed
    this.#random = seededRandom(Math.imul(seed, 0x9e37_79b1))
    for (let skip = 0; skip < 8; skip++) this.#random()
  }

  draw(): RandomNetwork {
    const competitor = this.#happens(0.04) ? this.#oneOf(['cubic', 'bbr', 'link'] as const) : undefined
    const focus = competitor === undefined && this.#happens(0.08) ? this.#oneOf(['hitless', 'failover'] as const) : undefined
    const count = focus !== undefined || (competitor === undefined && this.#happens(0.55)) ? 2 : 1
    const paths = Array.from({ length: count }, () => this.#path(competitor !== undefined, focus === undefined ? 0.6 : 0))
    const contract = this.#contract(paths, focus)
    const rates = paths.map(({ up }) => up.rateBitsPerSecond ?? 0)
    // Of what one path carries or, where live is split, both.
    const reach = contract.traffic.live.policy === 'bond' ? rates.reduce((sum, rate) => sum + rate, 0) : Math.min(...rates)
    const roundTrip = Math.max(...paths.map(({ up, down }) => up.delayMillis + down.delayMillis))
    const typical = (DATAGRAMS * DATAGRAM_BITS * 1000) / rates.reduce((sum, rate) => sum + rate, 0)
    const calm = (this.#happens(0.1) ? 2 : 1) * Math.max(1200, Math.min(4000, typical))
    const events = focus !== undefined ? this.#oneCut(calm, roundTrip) : competitor === undefined ? this.#events(paths, calm, roundTrip) : []
    const last = Math.max(0, ...events.map(event => (event.kind === 'rate' ? event.at + 10 * roundTrip : event.until)))
    return {
      seed: this.#seed,
      duration: millis(competitor === undefined ? Math.max(calm, last + 800) : COMPETING_MILLIS),
      contract,
      paths,
      initial: bitsPerSecond(this.#logarithmic(5e6, 60e6)),
      clockOffset: millis(this.#happens(0.2) ? WRAP - this.#between(0, 4000) : this.#between(0, 1e6)),
      up: focus !== undefined ? { control: this.#control(reach, contract), live: this.#live(reach * this.#between(0.1, 0.5)) } : this.#load(contract, reach, competitor !== undefined),
      down: { control: this.#control(Math.min(...paths.map(({ down }) => down.rateBitsPerSecond ?? 0)), contract) },
      events,
      focus,
      competitor,
    }
  }

  #happens(chance: number): boolean {
    return this.#random() < chance
  }

  #between(least: number, most: number): number {
    return least + (most - least) * this.#random()
  }

  #logarithmic(least: number, most: number): number {
    return least * (most / least) ** this.#random()
  }

  #oneOf<Choice>(choices: readonly Choice[]): Choice {
    const choice = choices[Math.floor(this.#random() * choices.length)]
    if (choice === undefined) throw new Error('nothing to choose from')
    return choice
  }

  #path(isShared: boolean, lossy: number): NetworkPath {
    const up = isShared ? this.#logarithmic(3e6, 8e6) : 2e6 * 30 ** (this.#random() ** 1.5)
    const oneWay = this.#logarithmic(isShared ? 15 : 2, isShared ? 60 : 300) / 2
    const down = up * this.#logarithmic(0.5, 4)
    const isLossy = this.#happens(lossy)
    const isJittery = this.#happens(0.4)
    const jitter = isJittery ? this.#logarithmic(0.3, 15) : 0
    const direction = (rate: number): DirectionProfile =>
      DirectionProfile.parse({
        rateBitsPerSecond: rate, delayMillis: oneWay, jitterMillis: Math.min(jitter, oneWay), reorders: isJittery && !isShared && this.#happens(0.3),
        loss: this.#loss(isLossy), queue: { millis: Math.max(this.#logarithmic(isShared ? 50 : 10, 300), (8000 * LEAST_QUEUE_BYTES) / rate) },
      })
    return { up: direction(up), down: direction(down), mtu: this.#happens(0.7) ? 1500 : Math.round(this.#between(1280, 1500)) }
  }

  #loss(isLossy: boolean): Loss {
    if (!isLossy) return { model: 'uniform', ratio: 0 }
    const ratio = this.#logarithmic(0.001, 0.1)
    return this.#happens(0.5) ? { model: 'uniform', ratio } : burstLoss({ meanRatio: ratio, meanBurstPackets: this.#between(1.5, 8) })
  }

  #contract(paths: readonly NetworkPath[], focus: RandomNetwork['focus']): LinkContract {
    const isUsual = this.#happens(0.4)
    const [live = 0.6, control = 0.1, tiles = 0.1, bulk = 0.05] = isUsual ? [] : [this.#between(0.2, 0.7), this.#between(0.05, 0.15), this.#between(0, 0.1), this.#between(0, 0.05)]
    const policy = () => (isUsual ? {} : { policy: this.#oneOf(PATH_POLICIES) })
    return completeContract({
      name: LinkName.parse('simulated'),
      class: this.#happens(0.5) ? 'best-effort' : 'sinet',
      paths: paths.map(({ up }, index) => ({
        name: PathName.parse(`path-${index}`),
        ...(this.#happens(0.5) ? { rateBitsPerSecond: Math.round(up.rateBitsPerSecond ?? 1e6) } : {}),
      })),
      traffic: {
        live: { ...policy(), ...(focus === undefined ? {} : { policy: focus }), guaranteedShare: live, queueDelayMillis: this.#logarithmic(20, 400), ...(this.#happens(0.4) ? { deadlineMillis: this.#logarithmic(40, 1000) } : {}) },
        control: { ...policy(), guaranteedShare: control, ...(this.#happens(0.2) ? { deadlineMillis: this.#logarithmic(40, 1000) } : {}) },
        tiles: { ...policy(), guaranteedShare: tiles, ...(this.#happens(0.2) ? { deadlineMillis: this.#logarithmic(40, 1000) } : {}) },
        bulk: { ...policy(), guaranteedShare: bulk, ...(this.#happens(0.2) ? { deadlineMillis: this.#logarithmic(40, 1000) } : {}) },
      },
    })
  }

  #load(contract: LinkContract, reach: number, isCompeting: boolean): Load {
    // Beside others there may be a quarter of the line.
    const control = this.#control(isCompeting ? reach / 4 : reach, contract)
    const isFull = isCompeting || this.#happens(0.4)
    const live = isCompeting && this.#happens(0.5) ? undefined : this.#live(reach * (isCompeting ? this.#between(0.1, 0.25) : this.#liveShare()))
    return {
      control,
      ...(live === undefined ? {} : { live }),
      ...(this.#happens(0.4) ? { tiles: { everyMillis: this.#between(100, 600), mostBytes: Math.max(500, Math.round((reach * this.#between(0.01, 0.15) * 0.3) / 8)) } } : {}),
      ...(isFull ? { bulkBytes: Math.round(this.#logarithmic(1000, Math.min(500_000, reach / 40))) } : {}),
    }
  }

  /** Of the capacity: mostly below, sometimes near, sometimes above. */
  #liveShare(): number {
    const draw = this.#random()
    if (draw < 0.65) return this.#between(0.1, 0.75)
    return draw < 0.85 ? this.#between(0.75, 1.05) : this.#between(1.05, 1.6)
  }

  #live(rate: number): LiveLoad {
    return { bitsPerSecond: rate, everyMillis: this.#oneOf([2, 5, 16, 33]), flows: Math.ceil(6 * this.#random()), mostBytes: this.#happens(0.8) ? 1200 : Math.round(this.#between(100, 4000)) }
  }

  /** Less than half of what it is guaranteed. */
  #control(rate: number, contract: LinkContract): MessageLoad {
    const mostBytes = this.#happens(0.8) ? this.#between(20, 600) : this.#between(600, 4000)
    const least = (mostBytes * 8 * 1000) / (0.4 * contract.traffic.control.guaranteedShare * rate)
    return { everyMillis: Math.max(least, this.#logarithmic(20, 300)), mostBytes: Math.round(mostBytes) }
  }

  #oneCut(calm: number, roundTrip: number): NetworkEvent[] {
    const at = this.#between(0.5, 0.8) * calm + 4 * roundTrip
    return [{ kind: 'cut', at, until: at + this.#logarithmic(50, 2500), paths: [this.#happens(0.7) ? 0 : 1] }]
  }

  #events(paths: readonly NetworkPath[], calm: number, roundTrip: number): NetworkEvent[] {
    const at = this.#between(0.5, 0.8) * calm + 4 * roundTrip
    const path = Math.floor(this.#random() * paths.length)
    const draw = this.#random()
    if (draw < 0.35) return []
    if (draw < 0.55) {
      const least = LEAST_RATE / (paths[path]?.up.rateBitsPerSecond ?? LEAST_RATE)
      const factor = this.#happens(0.7) ? Math.max(least, this.#between(0.25, 0.8)) : this.#between(1.2, 3)
      return [{ kind: 'rate', at, path, factor }]
    }
    if (draw < 0.85) return this.#cuts(paths, at, path)
    const pauses = draw < 0.95 ? 1 : 4
    return Array.from({ length: pauses }, (_, index) => {
      const from = at + 400 * index
      return { kind: 'pause' as const, at: from, until: from + this.#logarithmic(10, 350), end: this.#oneOf(['initiator', 'responder'] as const), wakesBySteps: this.#happens(0.5) }
    })
  }

  /** One path for a while, or all, or one that flaps. */
  #cuts(paths: readonly NetworkPath[], at: number, path: number): NetworkEvent[] {
    const draw = this.#random()
    const all = paths.map((_, index) => index)
    if (draw < 0.25) return [{ kind: 'cut', at, until: at + this.#logarithmic(20, 2500), paths: all }]
    if (draw < 0.75) return [{ kind: 'cut', at, until: at + this.#logarithmic(50, 2500), paths: [path] }]
    return Array.from({ length: 4 }, (_, index) => ({ kind: 'cut' as const, at: at + 350 * index, until: at + 350 * index + this.#between(20, 300), paths: [this.#happens(0.2) ? all.length - 1 : path] }))
  }
}

/** A network in one line, for whoever looks for the cause of something. */
export function describeNetwork({ seed, paths, contract, up, events, competitor, duration }: RandomNetwork): string {
  const loss = (loss: Loss): string => (loss.model === 'uniform' ? loss.ratio.toFixed(3) : `burst ${((loss.p / (loss.p + loss.r)) || 0).toFixed(3)}/${(1 / loss.r).toFixed(1)}`)
  const direction = (profile: DirectionProfile): string => {
    const queue = 'millis' in profile.queue ? `${profile.queue.millis.toFixed(0)}ms` : `${profile.queue.bytes}B`
    return `${((profile.rateBitsPerSecond ?? 0) / 1e6).toFixed(1)}M ${profile.delayMillis.toFixed(1)}±${profile.jitterMillis.toFixed(1)}${profile.reorders ? 'r' : ''} loss ${loss(profile.loss)} queue ${queue}`
  }
  const policies = TRAFFIC_CLASSES.map((id: TrafficClass) => `${id} ${contract.traffic[id].policy} ${contract.traffic[id].guaranteedShare.toFixed(2)}${contract.traffic[id].deadlineMillis === undefined ? '' : ` <${contract.traffic[id].deadlineMillis.toFixed(0)}`}`)
  return [
    `seed ${seed}, ${(duration / 1000).toFixed(1)} s`,
    ...paths.map((path, index) => `  path ${index}: up ${direction(path.up)}; down ${direction(path.down)}; mtu ${path.mtu}${contract.paths[index]?.rateBitsPerSecond === undefined ? '' : '; known'}`),
    `  ${policies.join(', ')}, queue ${contract.traffic.live.queueDelayMillis.toFixed(0)} ms`,
    `  live ${up.live === undefined ? 'none' : `${(up.live.bitsPerSecond / 1e6).toFixed(2)}M every ${up.live.everyMillis} ms, ${up.live.flows} flows, ≤${up.live.mostBytes} B`}; control ${up.control.mostBytes} B every ${up.control.everyMillis.toFixed(0)} ms; tiles ${JSON.stringify(up.tiles ?? null)}; bulk ${up.bulkBytes ?? 0}`,
    `  ${competitor === undefined ? '' : `beside ${competitor} `}${JSON.stringify(events)}`,
  ].join('\n')
}
