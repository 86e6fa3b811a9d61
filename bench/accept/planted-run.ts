import { judgeAcceptance, USES } from './acceptance-verdict.ts'
import { DIRECTIONS } from './acceptance-measurement.ts'
import { measureEmulated } from './emulated-acceptance.ts'
import { PLANTED_LINES } from './planted-lines.ts'
import type { AcceptanceMeasurement } from './acceptance-measurement.ts'
import type { AcceptanceLevel, AcceptanceVerdict, Use } from './acceptance-verdict.ts'
import type { AcceptancePlan } from './acceptance-plan.ts'
import type { PlantedLine } from './planted-lines.ts'

/** Gigabyte and a half: a slide at 40x, compressed. */
export const SLIDE_BYTES = 1.5e9

/** One planted line, measured and judged. */
export interface PlantedOutcome {
  readonly planted: PlantedLine
  readonly measurement: AcceptanceMeasurement
  readonly verdict: AcceptanceVerdict
  readonly got: Readonly<Record<Use, AcceptanceLevel>>
  readonly isMatched: boolean
}

/** Measures and judges every planted line, or those named, one after the other. */
export async function* runPlanted(plan: AcceptancePlan, only: readonly string[], say: (line: string) => void, signal: AbortSignal): AsyncGenerator<PlantedOutcome> {
  for (const planted of PLANTED_LINES) {
    const { name } = planted.profile
    if (only.length > 0 && !only.includes(name)) continue
    const measurement = await measureEmulated({ line: name, profiles: [planted.profile], plan, say: () => undefined }, signal)
    const verdict = judgeAcceptance(measurement, { uses: USES, directions: DIRECTIONS, slideBytes: SLIDE_BYTES })
    const outcome = { planted, measurement, verdict, got: levelsOf(verdict), isMatched: isAsExpected(planted, verdict) }
    say(plantedRow(outcome))
    yield outcome
  }
}

const levelsOf = (verdict: AcceptanceVerdict): Record<Use, AcceptanceLevel> => {
  const levelOf = (use: Use): AcceptanceLevel => verdict.paths[0]?.uses.find(each => each.use === use)?.level ?? 'no-go'
  return { pyramid: levelOf('pyramid'), whole: levelOf('whole'), overview: levelOf('overview'), slides: levelOf('slides') }
}

function isAsExpected({ expected, failsOnly }: PlantedLine, verdict: AcceptanceVerdict): boolean {
  const got = levelsOf(verdict)
  if (USES.some(use => got[use] !== expected[use])) return false
  if (failsOnly === undefined) return true
  const pyramid = verdict.paths[0]?.uses.find(({ use }) => use === 'pyramid')?.byDirection ?? []
  return pyramid.every(({ direction, level }) => (level === 'go') !== (direction === failsOnly))
}

/** One line of the table: what was expected, what came, and why. */
export function plantedRow({ planted, verdict, got, isMatched }: PlantedOutcome): string {
  const cells = USES.map(use => `${use} ${got[use]}${got[use] === planted.expected[use] ? '' : ` (expected ${planted.expected[use]})`}`)
  const reasons = [...new Set(verdict.paths[0]?.uses.flatMap(({ byDirection }) => byDirection.flatMap(({ findings }) => findings.map(({ reason, direction }) => `${reason} ${direction}`))))]
  return `${isMatched ? 'matched' : 'DIFFERS'}  ${planted.profile.name}: ${cells.join(', ')}${reasons.length === 0 ? '' : `; ${reasons.join(', ')}`}`
}
