import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { AUDIT_KINDS } from '../../../relay/wire/audit-event.ts'
import { toFault } from '../../../relay/wire/fault.ts'
import { AuditSearch } from '../../../relay/wire/operator.ts'
import { actorText, outcomeText, subjectText } from './audit-text.ts'
import { coreApi } from './core-api.ts'
import { timeText } from './format.ts'
import { State, Table } from './table.tsx'
import { kindText, operatorText } from './words.ts'
import type { AuditSearchAnswer, LogCheck } from '../../../relay/wire/operator.ts'
import type { Language } from '../i18n.ts'
import type { OperatorState } from './operator-state.ts'
import type { OperatorTextKey } from './words.ts'

/** The form as a search; fields that are empty are left out. */
function searchOf(form: FormData): Partial<AuditSearch> {
  const read = (name: string): string | undefined => {
    const value = form.get(name)
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const time = (name: string): number | undefined => {
    const text = read(name)
    return text === undefined ? undefined : new Date(text).getTime()
  }
  const all = { kind: read('kind'), consultationId: read('consultation'), practitionerId: read('practitioner'), facilityId: read('facility'), fromMillis: time('from'), untilMillis: time('until') }
  return AuditSearch.parse(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))
}

function CheckState({ check, language }: { readonly check: LogCheck | undefined; readonly language: Language }): JSX.Element {
  const say = (key: OperatorTextKey, n?: number | string): string => operatorText(language, key, n)
  if (check === undefined) return <State level="warn">{say('noAnswer')}</State>
  switch (check.state) {
    case 'intact':
      return <State level="good">{say('chainIntact', check.events)}</State>
    case 'altered':
      return <State level="bad">{say('chainAltered', check.findings)}</State>
    case 'unreadable':
      return <State level="bad">{say('chainUnreadable')}</State>
    case 'busy':
      return <State level="quiet">{say('chainBusy')}</State>
    default:
      return check.state satisfies never
  }
}

function Findings({ logs, language }: { readonly logs: AuditSearchAnswer['logs']; readonly language: Language }): JSX.Element {
  const say = (key: OperatorTextKey, n?: number | string): string => operatorText(language, key, n)
  const nameOf = (nodeId: string | null): string => nodeId ?? say('core')
  const entries = logs.flatMap(({ nodeId, findings }) => (findings?.entries ?? []).map(entry => ({ nodeId, ...entry }))).sort((one, other) => other.event.atMillis - one.event.atMillis)
  return (
    <>
      <ul class="checks">
        {logs.map(({ nodeId, findings }) => (
          <li key={nodeId ?? ''}>
            <b>{nameOf(nodeId)}</b> <CheckState check={findings?.check} language={language} />
            {findings?.check.checkedAtMillis != null && <span class="quiet"> {say('verifiedAt', timeText(language, findings.check.checkedAtMillis))}</span>}
          </li>
        ))}
      </ul>
      {logs.some(({ findings }) => findings?.hasMore === true) && <p class="quiet">{say('moreThere')}</p>}
      <Table
        caption={`${say('audit')} · ${entries.length}`}
        columns={[
          { head: say('time'), share: 5 }, { head: say('log'), share: 4 }, { head: say('number'), share: 2 }, { head: say('kind'), share: 3 },
          { head: say('who'), share: 6 }, { head: say('what'), share: 10 }, { head: say('outcome'), share: 4 },
        ]}
        none={say('nothingFound')}
      >
        {entries.map(({ nodeId, sequence, event }) => (
          <tr key={`${nodeId ?? ''} ${sequence}`}>
            <td class="figure">{timeText(language, event.atMillis)}</td>
            <td>{nameOf(nodeId)}</td>
            <td class="figure">{sequence}</td>
            <td>{kindText(language, event.kind)}</td>
            <td>{actorText(event)}</td>
            <td>{subjectText(event)}</td>
            <td>{outcomeText(event) === '' ? '' : <State level={outcomeText(event) === 'ok' ? 'good' : 'warn'}>{outcomeText(event)}</State>}</td>
          </tr>
        ))}
      </Table>
    </>
  )
}

/** Looks for events in all logs. */
export function AuditView({ state }: { readonly state: OperatorState }): JSX.Element {
  const language = state.language.value
  const say = (key: OperatorTextKey, n?: number | string): string => operatorText(language, key, n)
  const answer = useSignal<AuditSearchAnswer | undefined>(undefined)
  const isSearching = useSignal(false)
  const search = async (form: HTMLFormElement): Promise<void> => {
    isSearching.value = true
    try {
      answer.value = await coreApi.search(searchOf(new FormData(form)))
      state.tidings.value = undefined
    } catch (error) {
      state.tidings.value = { key: 'refused', text: `${say('search')}: ${toFault(error).code}` }
    } finally {
      isSearching.value = false
    }
  }
  return (
    <>
      <form
        class="search"
        onSubmit={event => {
          event.preventDefault()
          void search(event.currentTarget)
        }}
      >
        <label>
          {say('consultation')}
          <input name="consultation" maxLength={64} autoComplete="off" />
        </label>
        <label>
          {say('practitioner')}
          <input name="practitioner" maxLength={64} autoComplete="off" />
        </label>
        <label>
          {say('facility')}
          <input name="facility" maxLength={64} autoComplete="off" />
        </label>
        <label>
          {say('kind')}
          <select name="kind">
            <option value="">{say('everyKind')}</option>
            {AUDIT_KINDS.map(kind => (
              <option key={kind} value={kind}>
                {kindText(language, kind)}
              </option>
            ))}
          </select>
        </label>
        <label>
          {say('from')}
          <input name="from" type="datetime-local" step="1" />
        </label>
        <label>
          {say('before')}
          <input name="until" type="datetime-local" step="1" />
        </label>
        <button type="submit" disabled={isSearching.value}>
          {say(isSearching.value ? 'searching' : 'search')}
        </button>
        <p class="quiet">{say('searchHint')}</p>
      </form>
      <div aria-live="polite" aria-busy={isSearching.value}>
        {answer.value !== undefined && <Findings logs={answer.value.logs} language={language} />}
      </div>
    </>
  )
}
