import { connect } from 'node:net'
import { Backoff } from '../../../relay/wire/backoff.ts'
import { millis } from '../../../relay/wire/units.ts'
import { ANSWER_WITHIN, AsciiStage, MOST_LINE_CHARACTERS } from './ascii-stage.ts'
import type { Socket } from 'node:net'
import type { Clock } from '../../../relay/runtime/clock.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { Stage, StageTarget } from '../../../relay/wire/stage.ts'
import type { DrivenPlace, DriverState, StageDriver } from './stage-driver.ts'

/** What {@link TcpStage} needs. */
export interface TcpStageOptions {
  readonly host: string
  readonly port: number
  /** Its turret is turned by hand: the first of these is in place. */
  readonly limits: Pick<Stage, 'objectives' | 'travel'>
  readonly clock: Clock
}

const RECONNECT = { first: millis(250), cap: millis(5000) }

/**
 * A stage behind a controller that speaks lines over TCP, such as one on a serial port that a terminal server carries.
 * A controller that is silent for half a second leaves it `interrupted`; it is tried again after a quarter of a second, and then more seldom.
 */
export class TcpStage implements StageDriver {
  readonly limits: Pick<Stage, 'objectives' | 'travel'>
  readonly objective: string
  readonly #options: TcpStageOptions
  readonly #backoff = new Backoff(RECONNECT)
  #state: DriverState
  #listener: ((state: DriverState) => void) | undefined
  #socket: Socket | undefined
  #stage = new AsciiStage()
  /** A stop that nobody could be told of yet. */
  #owedStop: number | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  private constructor(options: TcpStageOptions) {
    const { limits } = options
    const [objective] = limits.objectives
    if (objective === undefined) throw new Error('a microscope has an objective')
    this.#options = options
    this.limits = limits
    this.objective = objective.name
    const middle = ({ min, max }: { readonly min: number; readonly max: number }): number => (min + max) / 2
    // Nobody knows yet; it is not said to be ready before somebody does.
    this.#state = { kind: 'interrupted', code: 'unavailable', place: { x: middle(limits.travel.x), y: middle(limits.travel.y), focus: middle(limits.travel.focus), isMoving: false, command: undefined } }
  }

  /** Begins to connect, and keeps trying. */
  static open(options: TcpStageOptions): TcpStage {
    const stage = new TcpStage(options)
    stage.#connect()
    return stage
  }

  get state(): DriverState {
    return this.#state
  }

  onState(listener: (state: DriverState) => void): void {
    this.#listener = listener
  }

  moveTo(target: StageTarget, command: number): void {
    if (this.#state.kind === 'interrupted') return
    this.#stage.moveTo(target, command)
    this.#work()
  }

  stop(command: number): void {
    this.#owedStop = command
    this.#work()
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#socket?.destroy()
    return Promise.resolve()
  }

  #connect(): void {
    const { host, port } = this.#options
    const socket = connect({ host, port })
    this.#socket = socket
    this.#stage = new AsciiStage()
    let rest = ''
    socket.setNoDelay(true)
    socket.setTimeout(ANSWER_WITHIN * 4, () => this.#lost(socket, 'timeout'))
    socket.once('connect', () => this.#work())
    socket.on('data', (data: Buffer) => {
      const lines = (rest + data.toString('latin1')).split(/\r\n|\r|\n/)
      rest = lines.pop() ?? ''
      for (const line of lines) if (line !== '') this.#stage.received(line.trim())
      if (rest.length > MOST_LINE_CHARACTERS) this.#lost(socket, 'bad_message')
      else this.#work()
    })
    socket.on('error', () => this.#lost(socket, 'unavailable'))
    socket.on('close', () => this.#lost(socket, 'unavailable'))
  }

  /** Sends what is due, and says what became known. */
  #work(): void {
    const socket = this.#socket
    if (socket === undefined || socket.connecting || this.#isClosed) return
    if (this.#owedStop !== undefined) this.#stage.stop(this.#owedStop)
    this.#owedStop = undefined
    const now = this.#options.clock.now()
    const { send, wakeAt, fault } = this.#stage.step(now)
    for (const line of send) socket.write(`${line}\r`)
    clearTimeout(this.#timer)
    if (fault !== undefined) {
      this.#lost(socket, fault)
      return
    }
    this.#timer = setTimeout(() => this.#work(), Math.max(1, wakeAt - now))
    const { place } = this.#stage
    if (place === undefined) return
    this.#backoff.succeeded()
    if (this.#state.kind === 'interrupted' || !isSame(place, this.#state.place)) this.#say({ kind: 'ready', place })
  }

  #lost(socket: Socket, code: FaultCode): void {
    if (socket !== this.#socket || this.#isClosed) return
    this.#socket = undefined
    this.#owedStop ??= this.#stage.owedStop
    socket.destroy()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#connect(), this.#backoff.next())
    if (this.#state.kind === 'ready' || this.#state.code !== code) this.#say({ kind: 'interrupted', code, place: { ...this.#state.place, isMoving: false } })
  }

  #say(state: DriverState): void {
    this.#state = state
    this.#listener?.(state)
  }
}

const isSame = (a: DrivenPlace, b: DrivenPlace): boolean => a.x === b.x && a.y === b.y && a.focus === b.focus && a.isMoving === b.isMoving && a.command === b.command
