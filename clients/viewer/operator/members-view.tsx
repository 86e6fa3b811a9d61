import type { JSX } from 'preact'
import { REPORT_STALE_MILLIS } from '../../../relay/wire/operator.ts'
import { coreApi } from './core-api.ts'
import { daysUntil } from './format.ts'
import { State, Table } from './table.tsx'
import { operatorText, roleText } from './words.ts'
import type { OperatorOverview } from '../../../relay/wire/operator.ts'
import type { Language } from '../i18n.ts'
import type { OperatorState } from './operator-state.ts'

/** Certificates are renewed when less than this is left: whoever has less does not renew. */
const WARN_DAYS = 25

type Machine = OperatorOverview['nodes'][number]

function CertificateState({ certificate, language, now }: { readonly certificate: Machine['certificate']; readonly language: Language; readonly now: number }): JSX.Element {
  if (certificate === null) return <State level="quiet">{operatorText(language, 'noCertificate')}</State>
  if (certificate.isRevoked) return <State level="bad">{operatorText(language, 'revoked')}</State>
  const days = daysUntil(certificate.notAfterMillis, now)
  if (days < 0) return <State level="bad">{operatorText(language, 'runOut')}</State>
  return <State level={days < WARN_DAYS ? 'warn' : 'good'}>{operatorText(language, 'daysLeft', days)}</State>
}

function Reported({ machine: { kind, reportedAtMillis }, language, now }: { readonly machine: Machine; readonly language: Language; readonly now: number }): JSX.Element {
  if (kind === 'agent') return <span class="quiet">–</span>
  if (reportedAtMillis === null) return <State level="quiet">{operatorText(language, 'never')}</State>
  const age = Math.max(0, now - reportedAtMillis)
  return <State level={age > REPORT_STALE_MILLIS ? 'warn' : 'good'}>{operatorText(language, 'secondsAgo', Math.round(age / 1000))}</State>
}

/** Facilities with their machines and people: who belongs to the platform. */
export function MembersView({ state, overview }: { readonly state: OperatorState; readonly overview: OperatorOverview }): JSX.Element {
  const language = state.language.value
  const say = (key: Parameters<typeof operatorText>[1], n?: string): string => operatorText(language, key, n)
  const { facilities, nodes, practitioners, atMillis } = overview
  const nameOf = (id: string): string => facilities.find(facility => facility.id === id)?.displayName ?? id
  const revoke = (name: string, act: () => Promise<unknown>, text: 'revokeText' | 'revokePersonText'): void => {
    state.question.value = { title: 'revokeTitle', text, name, verb: 'revoke', act }
  }
  return (
    <>
      <Table
        caption={`${say('facilities')} · ${facilities.length}`}
        columns={[{ head: say('facility'), share: 3 }, { head: say('name'), share: 5 }, { head: say('state'), share: 2 }]}
        none={say('none')}
      >
        {facilities.map(({ id, displayName, status }) => (
          <tr key={id}>
            <th scope="row">{id}</th>
            <td>{displayName}</td>
            <td>
              <State level={status === 'active' ? 'good' : 'bad'}>{say(status)}</State>
            </td>
          </tr>
        ))}
      </Table>
      <Table
        caption={`${say('machines')} · ${nodes.length}`}
        columns={[
          { head: say('machine'), share: 4 }, { head: say('facility'), share: 4 }, { head: say('kind'), share: 2 }, { head: say('state'), share: 2 },
          { head: say('certificate'), share: 3 }, { head: say('hearsCore'), share: 2 }, { head: say('reported'), share: 2 }, { head: say('action'), share: 2 },
        ]}
        none={say('none')}
      >
        {nodes.map(machine => (
          <tr key={machine.id} data-machine={machine.id}>
            <th scope="row">{machine.id}</th>
            <td>{nameOf(machine.facilityId)}</td>
            <td>{say(machine.kind)}</td>
            <td>
              <State level={machine.status === 'active' ? 'good' : 'bad'}>{say(machine.status)}</State>
            </td>
            <td>
              <CertificateState certificate={machine.certificate} language={language} now={atMillis} />
            </td>
            <td>{machine.kind === 'agent' ? <span class="quiet">–</span> : <State level={machine.isListening ? 'good' : 'warn'}>{say(machine.isListening ? 'hears' : 'silent')}</State>}</td>
            <td>
              <Reported machine={machine} language={language} now={atMillis} />
            </td>
            <td>
              <button type="button" class="grave" disabled={machine.status === 'suspended'} aria-label={`${say('revoke')}: ${machine.id}`} onClick={() => revoke(machine.id, () => coreApi.revokeMachine(machine.id), 'revokeText')}>
                {say('revoke')}
              </button>
            </td>
          </tr>
        ))}
      </Table>
      <Table
        caption={`${say('people')} · ${practitioners.length}`}
        columns={[{ head: say('practitioner'), share: 4 }, { head: say('facility'), share: 4 }, { head: say('role'), share: 4 }, { head: say('state'), share: 2 }, { head: say('action'), share: 2 }]}
        none={say('none')}
      >
        {practitioners.map(({ id, facilityId, role, status }) => (
          <tr key={id}>
            <th scope="row">{id}</th>
            <td>{nameOf(facilityId)}</td>
            <td>{roleText(language, role)}</td>
            <td>
              <State level={status === 'active' ? 'good' : 'bad'}>{say(status)}</State>
            </td>
            <td>
              <button type="button" class="grave" disabled={status === 'suspended'} aria-label={`${say('revoke')}: ${id}`} onClick={() => revoke(id, () => coreApi.revokePerson(id), 'revokePersonText')}>
                {say('revoke')}
              </button>
            </td>
          </tr>
        ))}
      </Table>
    </>
  )
}
