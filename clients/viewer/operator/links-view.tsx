import type { JSX } from 'preact'
import { REPORT_STALE_MILLIS } from '../../../relay/wire/operator.ts'
import { rateText, ratioText } from './format.ts'
import { State, Table } from './table.tsx'
import { operatorText } from './words.ts'
import type { OperatorOverview } from '../../../relay/wire/operator.ts'
import type { OperatorState } from './operator-state.ts'

type Link = OperatorOverview['links'][number]
type LinkReport = Link['reports'][number]

/** How a link is, in one word. */
function standingOf(told: LinkReport | undefined, now: number): { level: 'good' | 'warn' | 'bad' | 'quiet'; key: 'good' | 'degraded' | 'down' | 'notMeasured' | 'oldReport' } {
  if (told === undefined) return { level: 'quiet', key: 'notMeasured' }
  if (now - told.atMillis > REPORT_STALE_MILLIS) return { level: 'quiet', key: 'oldReport' }
  if (told.report.livePaths === 0) return { level: 'bad', key: 'down' }
  return told.report.isDegraded ? { level: 'warn', key: 'degraded' } : { level: 'good', key: 'good' }
}

/** Links between facilities, as their nodes measure them. */
export function LinksView({ state, overview: { links, atMillis } }: { readonly state: OperatorState; readonly overview: OperatorOverview }): JSX.Element {
  const language = state.language.value
  const say = (key: Parameters<typeof operatorText>[1]): string => operatorText(language, key)
  const rows = links.flatMap((link): { link: Link; told: LinkReport | undefined }[] => (link.reports.length === 0 ? [{ link, told: undefined }] : link.reports.map(told => ({ link, told }))))
  return (
    <Table
      caption={`${say('links')} · ${links.length}`}
      columns={[
        { head: say('link'), share: 4 }, { head: say('between'), share: 4 }, { head: say('contract'), share: 4 }, { head: say('measuredBy'), share: 4 }, { head: say('state'), share: 3 },
        { head: say('paths'), share: 2.2 }, { head: say('roundTrip'), share: 2.3 }, { head: say('loss'), share: 2.5 }, { head: say('incoming'), share: 3 }, { head: say('outgoing'), share: 3 },
      ]}
      none={say('none')}
    >
      {rows.map(({ link: { name, registered }, told }) => {
        const { level, key } = standingOf(told, atMillis)
        const report = told?.report
        return (
          <tr key={`${name} ${told?.nodeId ?? ''}`}>
            <th scope="row">{name}</th>
            <td>{registered === null ? <State level="warn">{say('unregistered')}</State> : registered.between.join(' – ')}</td>
            <td>{registered === null ? '–' : `${registered.class}, ${rateText(registered.bitsPerSecond)}`}</td>
            <td>{told?.nodeId ?? '–'}</td>
            <td>
              <State level={level}>{say(key)}</State>
            </td>
            <td class="figure">{report === undefined ? '–' : `${report.livePaths}/${report.paths}`}</td>
            <td class="figure">{report?.roundTripMillis == null ? '–' : `${report.roundTripMillis.toFixed(1)} ms`}</td>
            <td class="figure">{report?.lossRatio == null ? '–' : ratioText(report.lossRatio)}</td>
            <td class="figure">{report === undefined ? '–' : rateText(report.inBitsPerSecond)}</td>
            <td class="figure">{report === undefined ? '–' : rateText(report.outBitsPerSecond)}</td>
          </tr>
        )
      })}
    </Table>
  )
}
