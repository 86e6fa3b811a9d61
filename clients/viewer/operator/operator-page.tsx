import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { ApprovalsView } from './approvals-view.tsx'
import { AuditView } from './audit-view.tsx'
import { ConsultationsView, GrantsView, ServicesView } from './cases-views.tsx'
import { ConfirmDialog } from './confirm-dialog.tsx'
import { LinksView } from './links-view.tsx'
import { MembersView } from './members-view.tsx'
import { SECTIONS } from './operator-state.ts'
import { operatorText } from './words.ts'
import type { OperatorOverview } from '../../../relay/wire/operator.ts'
import type { OperatorState } from './operator-state.ts'

/** What the core said longer ago than this is told as stale. */
const STALE_MILLIS = 7000

/** Whether what is shown is true now. */
function Status({ state }: { readonly state: OperatorState }): JSX.Element {
  const language = state.language.value
  const age = state.now.value - state.heardAt.value
  if (state.overview.value === undefined) return <span class="status quiet">{operatorText(language, 'waiting')}</span>
  if (age > STALE_MILLIS) return <span class="status bad">{operatorText(language, 'stale', Math.round(age / 1000))}</span>
  return <span class="status good">{operatorText(language, 'live')}</span>
}

function Shown({ state, overview }: { readonly state: OperatorState; readonly overview: OperatorOverview }): JSX.Element {
  const section = state.section.value
  switch (section) {
    case 'members':
      return <MembersView state={state} overview={overview} />
    case 'links':
      return <LinksView state={state} overview={overview} />
    case 'consultations':
      return <ConsultationsView state={state} overview={overview} />
    case 'grants':
      return <GrantsView state={state} overview={overview} />
    case 'services':
      return <ServicesView state={state} overview={overview} />
    case 'audit':
      return <AuditView state={state} />
    case 'approvals':
      return <ApprovalsView state={state} overview={overview} />
    default:
      return section satisfies never
  }
}

/** The operators' page. */
export function OperatorPage({ state }: { readonly state: OperatorState }): JSX.Element {
  const language = state.language.value
  const overview = state.overview.value
  const failure = state.failure.value
  const tidings = state.tidings.value
  useEffect(() => {
    document.documentElement.lang = language
    document.title = `kenkyo · ${operatorText(language, 'title')}`
  }, [language])
  const isRefused = failure === 'registry_refused' || failure === 'policy_refused'
  return (
    <>
      <header class="bar">
        <h1>kenkyo · {operatorText(language, 'title')}</h1>
        <nav aria-label={operatorText(language, 'sections')}>
          {SECTIONS.map(section => (
            <a key={section} href={`#${section}`} aria-current={state.section.value === section ? 'page' : undefined}>
              {operatorText(language, section)}
              {section === 'approvals' && <span class={`count${(overview?.requests.length ?? 0) > 0 ? ' waiting' : ''}`}>{overview?.requests.length ?? 0}</span>}
            </a>
          ))}
        </nav>
        <Status state={state} />
        <button type="button" lang={language === 'ja' ? 'en' : 'ja'} onClick={() => (state.language.value = language === 'ja' ? 'en' : 'ja')}>
          {operatorText(language, 'otherLanguage')}
        </button>
      </header>
      <p class={`tidings ${tidings?.key ?? ''}`} role="status">
        {tidings !== undefined && operatorText(language, tidings.key, tidings.text)}
      </p>
      <main aria-label={operatorText(language, state.section.value)} data-section={state.section.value}>
        {isRefused && <p class="notice">{operatorText(language, 'notOperator')}</p>}
        {!isRefused && overview !== undefined && <Shown key={state.section.value} state={state} overview={overview} />}
      </main>
      <footer>
        {overview !== undefined && operatorText(language, 'registry', overview.registryVersion)}
        {overview?.operator != null && ` · ${overview.operator}`}
      </footer>
      <ConfirmDialog state={state} />
    </>
  )
}
