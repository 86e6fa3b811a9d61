import type { JSX } from 'preact'
import { timeText } from './format.ts'
import { coreApi } from './core-api.ts'
import { State, Table } from './table.tsx'
import { operatorText, purposeText, roleText } from './words.ts'
import type { OperatorOverview } from '../../../relay/wire/operator.ts'
import type { OperatorState } from './operator-state.ts'
import type { OperatorTextKey } from './words.ts'

interface ViewProps {
  readonly state: OperatorState
  readonly overview: OperatorOverview
}

/** Cases, who takes part, and how their consents stand. */
export function ConsultationsView({ state, overview: { consultations, grants, atMillis } }: ViewProps): JSX.Element {
  const language = state.language.value
  const say = (key: OperatorTextKey, n?: number): string => operatorText(language, key, n)
  return (
    <Table
      caption={`${say('consultations')} · ${consultations.length}`}
      columns={[
        { head: say('consultation'), share: 4 }, { head: say('state'), share: 2 }, { head: say('host'), share: 3 }, { head: say('participants'), share: 5 }, { head: say('purpose'), share: 4 },
        { head: say('until'), share: 4 }, { head: say('consents'), share: 4 }, { head: say('grantsNow'), share: 2 },
      ]}
      none={say('none')}
    >
      {consultations.map(({ consultationId, hostFacilityId, participants, purpose, validUntilMillis, consents }) => {
        const isOpen = validUntilMillis > atMillis
        const withdrawn = consents.filter(({ withdrawnAtMillis }) => withdrawnAtMillis !== null).length
        const expired = consents.filter(each => each.withdrawnAtMillis === null && each.validUntilMillis <= atMillis).length
        const valid = consents.length - withdrawn - expired
        return (
          <tr key={consultationId}>
            <th scope="row">{consultationId}</th>
            <td>
              <State level={isOpen ? 'good' : 'quiet'}>{say(isOpen ? 'open' : 'closed')}</State>
            </td>
            <td>{hostFacilityId}</td>
            <td>{participants.join(', ') || '–'}</td>
            <td>{purposeText(language, purpose)}</td>
            <td class="figure">{timeText(language, validUntilMillis)}</td>
            <td>
              {valid > 0 && <State level="good">{say('valid', valid)}</State>} {withdrawn > 0 && <State level="bad">{say('withdrawn', withdrawn)}</State>} {expired > 0 && <State level="quiet">{say('expired', expired)}</State>}
              {consents.length === 0 && <State level="quiet">{say('none')}</State>}
            </td>
            <td class="figure">{grants.filter(({ grant }) => grant.consultationId === consultationId).length}</td>
          </tr>
        )
      })}
    </Table>
  )
}

/** What holds at the nodes now. */
export function GrantsView({ state, overview: { grants } }: ViewProps): JSX.Element {
  const language = state.language.value
  const say = (key: OperatorTextKey): string => operatorText(language, key)
  return (
    <Table
      caption={`${say('grants')} · ${grants.length}`}
      columns={[
        { head: say('node'), share: 4 }, { head: say('consultation'), share: 4 }, { head: say('holder'), share: 4 }, { head: say('facility'), share: 3 }, { head: say('role'), share: 3 },
        { head: say('purpose'), share: 4 }, { head: say('emergency'), share: 2 }, { head: say('actions'), share: 8 }, { head: say('until'), share: 4 },
      ]}
      none={say('none')}
    >
      {grants.map(({ at, grant }) => (
        <tr key={grant.grantId}>
          <td>{at}</td>
          <td>{grant.consultationId}</td>
          <td>{grant.practitionerId ?? grant.nodeId ?? '–'}</td>
          <td>{grant.facilityId}</td>
          <td>{roleText(language, grant.role)}</td>
          <td>{purposeText(language, grant.purpose)}</td>
          <td>{grant.isEmergency ? <State level="bad">{say('yes')}</State> : <span class="quiet">{say('no')}</span>}</td>
          <td>{grant.actions.join(', ')}</td>
          <td class="figure">{timeText(language, grant.validUntilMillis)}</td>
        </tr>
      ))}
    </Table>
  )
}

/** Services in common, and their quarantine. */
export function ServicesView({ state, overview: { services } }: ViewProps): JSX.Element {
  const language = state.language.value
  const say = (key: OperatorTextKey): string => operatorText(language, key)
  return (
    <Table
      caption={`${say('services')} · ${services.length}`}
      columns={[{ head: say('service'), share: 4 }, { head: say('facility'), share: 4 }, { head: say('kind'), share: 3 }, { head: say('state'), share: 3 }, { head: say('action'), share: 2 }]}
      none={say('none')}
    >
      {services.map(({ id, facilityId, kind, status }) => (
        <tr key={id}>
          <th scope="row">{id}</th>
          <td>{facilityId}</td>
          <td>{kind}</td>
          <td>
            <State level={status === 'active' ? 'good' : status === 'quarantined' ? 'bad' : 'quiet'}>{say(status)}</State>
          </td>
          <td>
            {status === 'quarantined' ? (
              <button type="button" aria-label={`${say('release')}: ${id}`} onClick={() => void state.act(id, () => coreApi.release(id))}>
                {say('release')}
              </button>
            ) : (
              <button
                type="button"
                class="grave"
                disabled={status !== 'active'}
                aria-label={`${say('quarantine')}: ${id}`}
                onClick={() => (state.question.value = { title: 'quarantineTitle', text: 'quarantineText', name: id, verb: 'quarantine', act: () => coreApi.quarantine(id) })}
              >
                {say('quarantine')}
              </button>
            )}
          </td>
        </tr>
      ))}
    </Table>
  )
}
