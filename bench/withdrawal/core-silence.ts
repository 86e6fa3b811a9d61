import { RelayFault } from '../../relay/wire/fault.ts'
import { LiveMember } from './live-member.ts'
import { QUIET_CASE } from './withdrawal-world.ts'
import type { CoreRelay } from './core-relay.ts'
import type { PlatformNode, WithdrawalWorld } from './withdrawal-world.ts'

/** The consent, and with it what is granted, ends so long after it was signed. */
const CONSENT_MILLIS = 20_000
/** How often a grant is asked for. */
const ASK_MILLIS = 100
const BACK_WITHIN_MILLIS = 15_000
/** A session that does not end so long after its grant is told as such. */
const LATE_MILLIS = 5000

/** What one silence of the core did. */
export interface SilenceOutcome {
  /** From the cut until the last grant that was given, in seconds. */
  readonly lastGrantSeconds: number
  /** From the cut until a member that was there was told; undefined when it was not. */
  readonly warnedSeconds: number | undefined
  /** Whether one that came later was told on joining. */
  readonly isLateOneWarned: boolean
  /** From the end of what was granted until the session ended; undefined when it did not, or ended before. */
  readonly endedSeconds: number | undefined
  /** From the mend until something was granted. */
  readonly backSeconds: number
}

const pause = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds))
const isWarning = ({ type, ...rest }: { readonly type: string; readonly isCoreReachable?: boolean }): boolean => type === 'accessChanged' && rest.isCoreReachable === false

/** Cuts the way to the core, watches what is granted and who is told, and mends it. @throws {RelayFault} when it does not begin. */
export async function measureSilence(world: WithdrawalWorld, node: PlatformNode, relay: CoreRelay, signal: AbortSignal): Promise<SilenceOutcome> {
  using scope = new DisposableStack()
  scope.defer(() => relay.mend())
  const consent = await world.sign(QUIET_CASE, CONSENT_MILLIS)
  const validUntil = consent.validUntilMillis - performance.timeOrigin
  const [doctor, colleague] = await Promise.all([node.signIn('doctor'), node.signIn('colleague')])
  const [present, late] = await Promise.all([node.grantPerson(doctor, 'doctor', signal), node.grantPerson(colleague, 'colleague', signal)])
  const member = scope.use(await LiveMember.join(node, present))
  let endedAt: number | undefined
  void member.signaling.closed.then(() => (endedAt = performance.now()))

  relay.cut()
  const cutAt = performance.now()
  let [lastGrantAt, warnedAt]: [number, number | undefined] = [cutAt, undefined]
  for (let isRefused = false; !isRefused || warnedAt === undefined;) {
    signal.throwIfAborted()
    if (performance.now() > validUntil - 1000) break
    const { status, body } = await node.askForGrant(await node.signIn('doctor'), 'doctor')
    if (status === 200) lastGrantAt = performance.now()
    else if (body.includes('core_unreachable')) isRefused = true
    else throw new RelayFault('unavailable', `a grant was refused for another reason: ${body.toString().slice(0, 100)}`)
    if (member.notifications.some(isWarning)) warnedAt ??= performance.now()
    await pause(ASK_MILLIS)
  }
  // Its grant is of before the cut.
  const newcomer = scope.use(await LiveMember.join(node, late))
  const isLateOneWarned = newcomer.notifications.some(isWarning)
  while (endedAt === undefined && performance.now() < validUntil + LATE_MILLIS) {
    signal.throwIfAborted()
    await pause(ASK_MILLIS)
  }
  return {
    lastGrantSeconds: (lastGrantAt - cutAt) / 1000, isLateOneWarned,
    warnedSeconds: warnedAt === undefined ? undefined : (warnedAt - cutAt) / 1000,
    endedSeconds: endedAt === undefined || endedAt < validUntil ? undefined : (endedAt - validUntil) / 1000,
    backSeconds: await measureReturn(world, node, relay, signal),
  }
}

async function measureReturn(world: WithdrawalWorld, node: PlatformNode, relay: CoreRelay, signal: AbortSignal): Promise<number> {
  const consent = await world.sign(QUIET_CASE)
  relay.mend()
  const mendedAt = performance.now()
  for (;;) {
    signal.throwIfAborted()
    const { status } = await node.askForGrant(await node.signIn('doctor'), 'doctor')
    if (status === 200) break
    if (performance.now() - mendedAt > BACK_WITHIN_MILLIS) throw new RelayFault('timeout', 'nothing is granted though the core can be reached again')
    await pause(ASK_MILLIS)
  }
  const seconds = (performance.now() - mendedAt) / 1000
  await world.withdraw(consent)
  return seconds
}
