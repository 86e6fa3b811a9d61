import { RelayFault } from '../../relay/wire/fault.ts'
import { STAGE_CLAIM_LIMITS } from '../../relay/wire/signaling.ts'
import { checkStageTarget } from '../../relay/wire/stage.ts'
import { rtpTimestamp } from '../../relay/wire/units.ts'
import { TokenBucket } from '../signaling/token-bucket.ts'
import { StageAnswers } from './stage-answers.ts'
import { StageHold } from './stage-hold.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { MemberId, PublicationId, SessionId } from '../../relay/wire/ids.ts'
import type { PlaceHistory } from '../../relay/wire/place-history.ts'
import type { MemberProtocol, Notification, StageHolder } from '../../relay/wire/signaling.ts'
import type { Stage, StageState, StageTarget } from '../../relay/wire/stage.ts'
import type { MemberColour } from '../../relay/wire/slide-sharing.ts'
import type { FrameClock } from './frame-clock.ts'

/** Whoever may hold the stage. */
export interface StageMember {
  readonly sessionId: SessionId
  readonly memberId: MemberId
  readonly protocol: MemberProtocol
  readonly colour: MemberColour
  notify(notification: Notification): void
}

/** A publication whose stage may be steered. */
export interface StagedPublication {
  readonly publicationId: PublicationId
  /** Null where nothing can be. */
  stage: Stage | null
}

/** What a {@link StageDesk} stands on. */
export interface StageDeskOptions {
  /** Who is present. */
  readonly members: ReadonlySet<StageMember>
  readonly published: () => StagedPublication | undefined
  /** To the microscope. */
  readonly tell: (notification: Notification) => void
  readonly frames: FrameClock
  /** Is told where the stage was when. */
  readonly places: PlaceHistory
  readonly clock: Pick<Clock, 'now'>
}

/** A command, as it came. */
export interface StageCommand {
  readonly target: StageTarget
  /** Of the frame that was seen; null before any. */
  readonly rtpTimestamp: number | null
}

/** The stage of a consultation: who holds it, what it is told, and whether it answers. */
export class StageDesk implements Disposable {
  readonly #options: StageDeskOptions
  readonly #hold = new StageHold<StageMember>()
  readonly #answers = new StageAnswers<StageMember>()
  readonly #claims = new WeakMap<StageMember, TokenBucket>()
  /** Of the command that was given last, whoever gave it. */
  #command = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: StageDeskOptions) {
    this.#options = options
  }

  /** Tells a new member how things stand. */
  welcome(member: StageMember): void {
    if (this.#hold.holder !== undefined || this.#hold.stoppedBy !== undefined) member.notify(this.#held())
  }

  /** A member is gone, and with it its hold. */
  left(member: StageMember): void {
    this.#announceIf(this.#hold.left(member))
  }

  /** Another microscope, or none: nobody answers for the last one. The hold stays. */
  publicationChanged(): void {
    this.#answers.forget()
    this.#options.places.restart(this.#options.published()?.stage?.state)
  }

  /** @throws {RelayFault} `wrong_state` without a stage; `conflict` while somebody else holds it; `rate_limited`. */
  claim(member: StageMember): void {
    this.#take(member)
    this.#staged()
    this.#announceIf(this.#hold.claim(member))
  }

  /** @throws {RelayFault} `rate_limited`. */
  release(member: StageMember): void {
    this.#take(member)
    this.#announceIf(this.#hold.release(member))
  }

  /** @throws {RelayFault} `wrong_state`, `conflict` when it is not the member's to give; `not_found` when nobody such is there; `wrong_role` for one who came by another protocol; `rate_limited`. */
  handOver(member: StageMember, to: SessionId): void {
    this.#take(member)
    this.#hold.require(member)
    const next = [...this.#options.members].find(({ sessionId }) => sessionId === to)
    if (next === undefined) throw new RelayFault('not_found', 'that member is not here')
    // It has no words to steer with, or to give the stage back.
    if (next.protocol !== 'signaling') throw new RelayFault('wrong_role', 'that member cannot steer')
    this.#announceIf(this.#hold.handOver(member, next))
  }

  /** Stops the stage and takes it from whoever holds it. Cannot fail. */
  stop(member: StageMember): void {
    this.#announceIf(this.#hold.stop(member))
    const published = this.#options.published()
    if (published?.stage == null) return
    const command = this.#number(member)
    this.#options.tell({ type: 'stageStopped', publicationId: published.publicationId, command })
  }

  /**
   * Passes a command of the holder on to the microscope.
   *
   * @returns The command's number.
   * @throws {RelayFault} `wrong_state` when nothing that can be steered is published, or nobody holds the stage;
   *   `conflict` when somebody else does; `out_of_range` for a place beyond its travel, or a frame from the future.
   */
  move(member: StageMember, { target, rtpTimestamp: seen }: StageCommand): number {
    const { clock, frames, tell } = this.#options
    const { publicationId, stage } = this.#staged()
    this.#hold.require(member)
    if (seen !== null) frames.check(publicationId, rtpTimestamp(seen), clock.now())
    checkStageTarget(stage, target)
    const command = this.#number(member)
    tell({ type: 'stageCommanded', publicationId, command, target })
    return command
  }

  /**
   * Takes the microscope's word on its stage and tells everybody.
   *
   * @throws {RelayFault} `wrong_state` when it published none; `out_of_range` for an objective it has not, or a command that was never given.
   */
  report(state: StageState): void {
    const { clock, frames, members, places, published } = this.#options
    const publication = published()
    if (publication?.stage == null) throw new RelayFault('wrong_state', 'this microscope published no stage')
    checkStageTarget(publication.stage, { objective: state.objective })
    if (state.obeyed !== null && state.obeyed.command > this.#command) throw new RelayFault('out_of_range', 'nobody gave that command')
    const { publicationId } = publication
    publication.stage = { ...publication.stage, state }
    places.told(state)
    if (state.rtpTimestamp !== null) frames.heard(publicationId, rtpTimestamp(state.rtpTimestamp), clock.now())
    if (state.obeyed !== null) this.#answers.answered(state.obeyed.command)
    for (const member of members) member.notify({ type: 'stageChanged', publicationId, state })
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#answers.forget()
  }

  #staged(): { readonly publicationId: PublicationId; readonly stage: Stage } {
    const published = this.#options.published()
    if (published?.stage == null) throw new RelayFault('wrong_state', 'this microscope cannot be steered')
    return { publicationId: published.publicationId, stage: published.stage }
  }

  #take(member: StageMember): void {
    const now = this.#options.clock.now()
    const bucket = this.#claims.get(member) ?? new TokenBucket(STAGE_CLAIM_LIMITS.perSecond, STAGE_CLAIM_LIMITS.burst, now)
    this.#claims.set(member, bucket)
    if (!bucket.take(now)) throw new RelayFault('rate_limited', 'the stage changes hands too often')
  }

  #number(by: StageMember): number {
    this.#command++
    this.#answers.commanded(this.#command, by, this.#options.clock.now())
    this.#watch()
    return this.#command
  }

  /** Tells members of commands that are not answered, in time. */
  #watch(): void {
    clearTimeout(this.#timer)
    const { clock, published } = this.#options
    const { silent, wakeAt } = this.#answers.step(clock.now())
    const publicationId = published()?.publicationId
    const fault = { code: 'timeout', message: 'the stage does not answer' } as const
    for (const { by, command } of silent) if (publicationId !== undefined) by.notify({ type: 'stageFaulted', publicationId, command, fault })
    if (wakeAt !== undefined) this.#timer = setTimeout(() => this.#watch(), wakeAt - clock.now() + 1)
  }

  #announceIf(isNews: boolean): void {
    if (!isNews) return
    const notification = this.#held()
    for (const member of this.#options.members) member.notify(notification)
  }

  #held(): Notification {
    return { type: 'stageHeld', holder: describe(this.#hold.holder), stoppedBy: describe(this.#hold.stoppedBy) }
  }
}

const describe = (member: StageMember | undefined): StageHolder | null =>
  member === undefined ? null : { sessionId: member.sessionId, memberId: member.memberId, colour: member.colour }
