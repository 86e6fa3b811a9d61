import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { answerAddress, coreApi } from './core-api.ts'
import { groupsOf } from './format.ts'
import { operatorText } from './words.ts'
import type { OperatorOverview } from '../../../relay/wire/operator.ts'
import type { Language } from '../i18n.ts'
import type { OperatorState } from './operator-state.ts'
import type { OperatorTextKey } from './words.ts'

type WaitingRequest = OperatorOverview['requests'][number]

/** What is left to do after an approval. */
interface Approved {
  readonly key: string
  readonly nodeId: string
  readonly root: string
}

/** A number as it is read out. */
function Fingerprint({ hash, label }: { readonly hash: string; readonly label: string }): JSX.Element {
  return (
    <p class="fingerprint" role="group" aria-label={label}>
      {groupsOf(hash).map((group, index) => (
        <code key={`${index} ${group}`}>{group}</code>
      ))}
    </p>
  )
}

function Request({ state, request, onApproved }: { readonly state: OperatorState; readonly request: WaitingRequest; readonly onApproved: (approved: Approved) => void }): JSX.Element {
  const language = state.language.value
  const say = (key: OperatorTextKey, n?: string): string => operatorText(language, key, n)
  const isCompared = useSignal(false)
  const name = useSignal('')
  const { keyThumbprint, nodeId, facilityId, kind, hostNames, isNewFacility } = request
  const isReady = isCompared.value && (!isNewFacility || name.value.trim() !== '')
  const approve = (): Promise<boolean> =>
    state.act(nodeId, async () => {
      const root = await coreApi.approve(keyThumbprint, isNewFacility ? name.value.trim() : undefined)
      onApproved({ key: keyThumbprint, nodeId, root })
    })
  return (
    <li class="request" data-request={nodeId}>
      <h3>
        {nodeId} · {say(kind)} · {facilityId}
      </h3>
      {hostNames.length > 0 && (
        <p>
          {say('hostNames')}: {hostNames.join(', ')}
        </p>
      )}
      <Fingerprint hash={keyThumbprint} label={say('key')} />
      <label class="check">
        <input type="checkbox" checked={isCompared.value} onChange={event => (isCompared.value = event.currentTarget.checked)} />
        {say('compared')}
      </label>
      {isNewFacility && (
        <label>
          {say('newFacility')}
          <input value={name.value} maxLength={128} autoComplete="off" onInput={event => (name.value = event.currentTarget.value)} />
        </label>
      )}
      <div class="buttons">
        <button type="button" disabled={!isReady} aria-label={`${say('approve')}: ${nodeId}`} onClick={() => void approve()}>
          {say('approve')}
        </button>
        <button
          type="button"
          class="grave"
          aria-label={`${say('reject')}: ${nodeId}`}
          onClick={() => (state.question.value = { title: 'rejectTitle', text: 'rejectText', name: nodeId, verb: 'reject', act: () => coreApi.reject(keyThumbprint) })}
        >
          {say('reject')}
        </button>
      </div>
    </li>
  )
}

function ApprovedCard({ approved: { key, nodeId, root }, language, onClose }: { readonly approved: Approved; readonly language: Language; readonly onClose: () => void }): JSX.Element {
  const say = (word: OperatorTextKey, n?: string): string => operatorText(language, word, n)
  return (
    <section class="request approved" aria-label={say('approvedTitle', nodeId)}>
      <h3>{say('approvedTitle', nodeId)}</h3>
      <p>{say('approvedRoot')}</p>
      <Fingerprint hash={root} label="SHA-256" />
      <div class="buttons">
        <a href={answerAddress(key)} download="answer.json">
          {say('download')}
        </a>
        <button type="button" onClick={onClose}>
          {say('close')}
        </button>
      </div>
    </section>
  )
}

/** Machines that want to join: compared by telephone, then approved or rejected. */
export function ApprovalsView({ state, overview: { requests, unreadableRequests } }: { readonly state: OperatorState; readonly overview: OperatorOverview }): JSX.Element {
  const language = state.language.value
  const say = (key: OperatorTextKey, n?: number | string): string => operatorText(language, key, n)
  const approved = useSignal<Approved | undefined>(undefined)
  const bring = async (input: HTMLInputElement): Promise<void> => {
    const file = input.files?.[0]
    if (file === undefined) return
    await state.act(say('bring'), async () => coreApi.bring(JSON.parse(await file.text())))
    input.value = ''
  }
  return (
    <>
      <label class="bring">
        {`${say('bring')} (${say('bringHint')})`}
        <input type="file" accept="application/json,.json" onChange={event => void bring(event.currentTarget)} />
      </label>
      {approved.value !== undefined && <ApprovedCard approved={approved.value} language={language} onClose={() => (approved.value = undefined)} />}
      <h2>
        {say('approvals')} · {requests.length}
      </h2>
      {requests.length === 0 && <p class="quiet">{say('noRequests')}</p>}
      <ul class="requests">
        {requests.map(request => (
          <Request key={request.keyThumbprint} state={state} request={request} onApproved={it => (approved.value = it)} />
        ))}
      </ul>
      {unreadableRequests > 0 && <p class="quiet">{say('unreadable', unreadableRequests)}</p>}
    </>
  )
}
