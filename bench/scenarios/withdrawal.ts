import { cleanup } from 'node-datachannel'
import { z } from 'zod'
import { numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { FigureSheet } from '../report.ts'
import { CoreRelay } from '../withdrawal/core-relay.ts'
import { measureSilence } from '../withdrawal/core-silence.ts'
import { PublisherProcess } from '../withdrawal/publisher-process.ts'
import { RandomSlide } from '../withdrawal/random-slide.ts'
import { SlideSender } from '../withdrawal/slide-sender.ts'
import { PATHS, runRound, SHOWN_SLIDE } from '../withdrawal/withdrawal-round.ts'
import { CASE, QUIET_CASE, WithdrawalWorld } from '../withdrawal/withdrawal-world.ts'
import type { SilenceOutcome } from '../withdrawal/core-silence.ts'
import type { Ending, RoundOutcome, RoundParts } from '../withdrawal/withdrawal-round.ts'
import type { PlatformNode } from '../withdrawal/withdrawal-world.ts'
import type { BenchContext, Scenario } from './scenario.ts'

/** A consent that runs out does so this long after it was signed: everything has to flow by then. */
const EXPIRING_MILLIS = 12_000
const [WITHIN_SECONDS, REVOKED_WITHIN_SECONDS, SILENT_SECONDS] = [1, 60, 10]

const Options = z.strictObject({ rounds: numeric(z.int().min(1).max(200)).optional() })

/** What makes everything end, by the name of its figure. */
function endingsOf(world: WithdrawalWorld): Readonly<Record<string, { readonly ending: Ending; readonly goal: number; readonly what: string }>> {
  return {
    withdrawal_seconds: { goal: WITHIN_SECONDS, what: 'from the desk\'s request', ending: { paths: PATHS, goesOn: [], act: ({ begin, withdraw }) => {
      begin()
      return withdraw()
    } } },
    expiry_seconds: {
      goal: WITHIN_SECONDS, what: 'from the end of the consent',
      ending: { paths: PATHS, goesOn: [], consentMillis: EXPIRING_MILLIS, act: async ({ begin, validUntil }) => {
        const left = validUntil - performance.now()
        if (left < 0) throw new RelayFault('timeout', 'the consent ran out before everything flowed')
        await new Promise(resolve => setTimeout(resolve, left))
        begin()
      } },
    },
    disconnection_seconds: { goal: WITHIN_SECONDS, what: 'from the operator\'s request; the viewers\' facility', ending: { paths: ['live', 'tiles', 'instruments'], goesOn: ['transfer'], act: ({ begin }) => {
      begin()
      return world.disconnectUniversity()
    } } },
    revocation_seconds: { goal: REVOKED_WITHIN_SECONDS, what: 'from the operator\'s request; microscope and scanner', ending: { paths: ['live', 'transfer'], goesOn: ['tiles'], act: ({ begin }) => {
      begin()
      return world.revokeMachines()
    } } },
  }
}

/** How soon everything ends that a consent, a certificate or a membership carried, counted where it arrives. */
export const withdrawal: Scenario = {
  name: 'withdrawal',
  needs: [],
  summary: 'how soon live 8K, tiles, a transfer and instruments end when consent, membership or a certificate does; what a silent core grants',
  configure: command => command.option('--rounds <n>', 'withdrawals of consent; a quarter as many of each other end (default 20, with --quick 1)'),
  run: async (options, context) => {
    const { rounds = context.isQuick ? 1 : 20 } = Options.parse(options)
    try {
      return await measure(rounds, context)
    } finally {
      // Its threads would keep the process.
      cleanup()
    }
  },
}

async function measure(rounds: number, { isQuick, signal, say }: BenchContext) {
  await using scope = new AsyncDisposableStack()
  const world = scope.use(await WithdrawalWorld.open())
  const relay = scope.use(await CoreRelay.open(world.platform.core.port))
  const [node, quiet, publisher] = await Promise.all([
    world.openNode('hospital-node', world.platform.url, CASE, signal), world.openNode('second-node', relay.url, QUIET_CASE, signal), PublisherProcess.open(signal),
  ])
  scope.use(publisher)
  const [doctor, colleague] = await Promise.all([node.signIn('doctor'), node.signIn('colleague')])
  const parts: RoundParts = { world, node, publisher, doctor, colleague, shown: await bringSlide(world, node, signal), signal }
  const silences = silently(() => measureSilence(world, quiet, relay, signal), isQuick ? 1 : 3)
  const sheet = new FigureSheet()
  for (const [name, { ending, goal, what }] of Object.entries(endingsOf(world))) {
    const count = name === 'withdrawal_seconds' ? rounds : Math.ceil(rounds / 4)
    const outcomes: RoundOutcome[] = []
    for (let round = 0; round < count; round++) {
      const outcome = await runRound(parts, ending)
      await world.restore()
      outcomes.push(outcome)
      say(`${name} ${round + 1} of ${count}: ${ending.paths.map(path => `${path} ${(outcome.seconds.get(path) ?? NaN).toFixed(3)} s`).join(', ')}; ${Math.round(outcome.liveBitsPerSecond / 1e6)} Mbit/s before, ${outcome.code ?? 'the session went on'}`)
    }
    addFigures(sheet, { name, goal, what, ending }, outcomes)
  }
  addSilences(sheet, await silences)
  return { parameters: { rounds, viewers: 2 }, figures: sheet.figures, samples: sheet.samples, warnings: sheet.warnings }
}

/** Puts a slide into the node's store, to be looked at in every round. */
async function bringSlide(world: WithdrawalWorld, node: PlatformNode, signal: AbortSignal): Promise<RandomSlide> {
  const slide = await RandomSlide.make(SHOWN_SLIDE.side, SHOWN_SLIDE.tileBytes)
  const consent = await world.sign(CASE)
  const scanner = await node.grantMachine(await world.credentials('scanner'), 'scanner', signal)
  try {
    const sender = new SlideSender(node, scanner, slide)
    await sender.begin()
    await sender.send(signal, 0)
    await sender.complete()
    return slide
  } finally {
    scanner.agent.destroy()
    await world.withdraw(consent)
  }
}

/** Beside the rounds: it takes no time of theirs. */
async function silently(run: () => Promise<SilenceOutcome>, times: number): Promise<SilenceOutcome[] | RelayFault> {
  const outcomes: SilenceOutcome[] = []
  try {
    for (let time = 0; time < times; time++) outcomes.push(await run())
    return outcomes
  } catch (error) {
    if (error instanceof RelayFault) return error
    throw error
  }
}

function addFigures(sheet: FigureSheet, { name, goal, what, ending }: { readonly name: string; readonly goal: number; readonly what: string; readonly ending: Ending }, outcomes: readonly RoundOutcome[]): void {
  for (const path of ending.paths) {
    const seconds = outcomes.map(outcome => outcome.seconds.get(path) ?? NaN)
    const after = Math.max(...outcomes.map(outcome => outcome.afterwards.get(path) ?? 0))
    sheet.add({ name, labels: { path }, unit: 's', value: Math.max(...seconds), note: `largest; ${what} until the last came, ${after} at most after it`, goal: { relation: '<=', bound: goal } }, seconds)
  }
  sheet.add({ name: 'live_before_bits_per_second', labels: { before: name.replace('_seconds', '') }, unit: 'bit/s', note: 'UDP payload of RTP at the viewer' }, outcomes.map(({ liveBitsPerSecond }) => liveBitsPerSecond))
  sheet.add({ name: 'bench_stalled_seconds', labels: { during: name.replace('_seconds', '') }, unit: 's', note: 'longest that the process of core and receivers stood still; it is in the figures' }, outcomes.map(({ stalledSeconds }) => stalledSeconds))
  for (const { wronglyEnded, decrypted, code } of outcomes) {
    if (wronglyEnded.length > 0) sheet.warnings.push(`${name}: ${wronglyEnded.join(' and ')} ended as well, and should have gone on`)
    if (decrypted === 0) sheet.warnings.push(`${name}: nothing of what was counted could be decrypted`)
    if (code === null && ending.paths.includes('instruments')) sheet.warnings.push(`${name}: the viewer's session went on`)
  }
}

function addSilences(sheet: FigureSheet, silences: readonly SilenceOutcome[] | RelayFault): void {
  if (silences instanceof RelayFault) {
    sheet.warnings.push(`the silence of the core was not measured: ${silences.message}`)
    return
  }
  const known = (values: readonly (number | undefined)[]): number[] => values.filter(value => value !== undefined)
  const last = silences.map(({ lastGrantSeconds }) => lastGrantSeconds)
  sheet.add({ name: 'core_silence_seconds', unit: 's', value: Math.max(...last), note: 'largest; from the cut until the last grant', goal: { relation: '<=', bound: SILENT_SECONDS } }, last)
  sheet.add({ name: 'core_warning_seconds', unit: 's', note: 'from the cut until members are told' }, known(silences.map(({ warnedSeconds }) => warnedSeconds)))
  sheet.add({ name: 'core_silence_expiry_seconds', unit: 's', note: 'from the end of what was granted before the cut until the session ended', goal: { relation: '<=', bound: WITHIN_SECONDS } }, known(silences.map(({ endedSeconds }) => endedSeconds)))
  sheet.add({ name: 'core_return_seconds', unit: 's', note: 'from the mend until something is granted' }, silences.map(({ backSeconds }) => backSeconds))
  if (silences.some(({ warnedSeconds }) => warnedSeconds === undefined)) sheet.warnings.push('a member was not told that the core is silent')
  if (silences.some(({ isLateOneWarned }) => !isLateOneWarned)) sheet.warnings.push('whoever came later was not told that the core is silent')
  if (silences.some(({ endedSeconds }) => endedSeconds === undefined)) sheet.warnings.push('a session ended before its grant, or not at all')
}
