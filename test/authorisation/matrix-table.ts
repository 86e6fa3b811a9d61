import { MATRIX_PURPOSES, matrixCells } from '../../relay/access/policy/matrix.ts'
import { ACCESS_ACTIONS, CONSENT_STATES, LINK_CONDITIONS, PRACTICE_ROLES } from '../../relay/wire/access.ts'
import { PERMISSIONS, REFUSALS } from './oracle.ts'
import type { AccessFacts, LinkCondition } from '../../relay/wire/access.ts'

const LETTERS: Readonly<Record<LinkCondition, string>> = { sinet: 'S', best_effort: 'B', degraded: 'D', unregistered: 'U' }

/** The generated part of `docs/AUTHORISATION.md`: the rules, and a table for each role with the links over which each cell is allowed. */
export function matrixText(isAllowed: (facts: AccessFacts) => boolean): string {
  const cells = matrixCells()
  const links = (role: string, action: string, consent: string): string =>
    LINK_CONDITIONS.map(link => (cells.some(cell => cell.role === role && cell.action === action && cell.consent === consent && cell.link === link && isAllowed(cell)) ? LETTERS[link] : '·')).join(' ')
  const row = (words: readonly string[]): string => `| ${words.join(' | ')} |`
  const tables = PRACTICE_ROLES.map(role =>
    [
      `### \`${role}\`, for \`${MATRIX_PURPOSES[role]}\``,
      '',
      row(['', ...CONSENT_STATES.map(state => `\`${state}\``)]),
      row(['---', ...CONSENT_STATES.map(() => '---')]),
      ...ACCESS_ACTIONS.map(action => row([`\`${action}\``, ...CONSENT_STATES.map(consent => links(role, action, consent))])),
    ].join('\n'),
  )
  const numbered = [...REFUSALS, ...PERMISSIONS].map(({ text }, index) => `${index + 1}. ${text}`)
  const [refusals, permissions] = [numbered.slice(0, REFUSALS.length), numbered.slice(REFUSALS.length)]
  return [
    '## The rules', '', 'Refused, whoever asks:', '', ...refusals, '', 'Permitted, where nothing of that refuses; all else is refused:', '', ...permissions, '',
    '## The matrix', '', ...tables.flatMap(table => [table, '']),
  ].join('\n')
}

/** Where in the document it stands. */
export const MATRIX_MARKS = { begin: '<!-- generated: npm run matrix -- --table -->', end: '<!-- end of what is generated -->' } as const
