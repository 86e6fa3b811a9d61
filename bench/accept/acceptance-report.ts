import { inMegabits, inMillis, inPercent } from '../../clients/capture/line-figures.ts'
import { deliveredRate, lossRatio, offeredRate } from './acceptance-measurement.ts'
import { drawPlots, plotKey } from './acceptance-plots.ts'
import { sharedFindings, findingText, fineText, slidesText } from './acceptance-text.ts'
import { acceptanceSpeaker } from './acceptance-words.ts'
import type { Language } from '../../relay/runtime/terminal-language.ts'
import type { AcceptanceMeasurement, PathMeasurement, SecondPathEffect, StepResult } from './acceptance-measurement.ts'
import type { AcceptanceLevel, AcceptanceVerdict, UseSummary } from './acceptance-verdict.ts'
import type { AcceptanceWord, SayAcceptance } from './acceptance-words.ts'

/** What a report is made from. */
export interface ReportOptions {
  readonly measurement: AcceptanceMeasurement
  readonly verdict: AcceptanceVerdict
  readonly slideBytes: number
  readonly language: Language
  /** Commit and machine, for the foot. */
  readonly origin: string
}

const STYLE = `
@page { size: A4; margin: 14mm 13mm; }
* { box-sizing: border-box; }
body { font: 10.5pt/1.45 "Noto Sans", "Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic", sans-serif; color: #1b1b1b; max-width: 184mm; margin: 0 auto; padding: 4mm 0; }
h1 { font-size: 18pt; margin: 0; } h2 { font-size: 12.5pt; margin: 5mm 0 1.5mm; border-bottom: 1px solid #888; break-after: avoid; } h3 { font-size: 10.5pt; margin: 3mm 0 1mm; break-after: avoid; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: 1mm 1.6mm; border-bottom: 1px solid #ccc; } tr { break-inside: avoid; }
th { font-weight: 600; color: #444; } table.verdict th:first-child { width: 31mm; } table.verdict td:nth-child(2) { width: 31mm; } td .level { white-space: normal; font-size: 9pt; } table.loads { font-size: 8pt; } table.loads td { white-space: nowrap; } table.loads td, table.loads th { padding: .4mm .9mm; } td.n, th.n { text-align: right; white-space: nowrap; }
h2.measured { break-before: page; } .head { display: flex; justify-content: space-between; align-items: center; gap: 6mm; }
.level { display: inline-block; font-weight: 700; padding: .4mm 2.4mm; border: 2px solid; border-radius: 1mm; white-space: nowrap; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.go { color: #12602f; background: #e3f4e8; } .limits { color: #7a4b00; background: #fdf0d5; } .no-go { color: #9b1c1c; background: #fbe3e3; } .head .level { font-size: 15pt; }
.face { border: 2px solid #9b1c1c; color: #9b1c1c; font-weight: 700; padding: 1.5mm 3mm; margin: 2.5mm 0; }
.plots { display: grid; grid-template-columns: 1fr 1fr; gap: 3mm 5mm; } figure { margin: 0; break-inside: avoid; } figcaption { font-weight: 600; font-size: 9pt; } svg { max-width: 100%; height: auto; display: block; overflow: visible; }
ul { margin: 0; padding-left: 4.5mm; } .key, .about { font-size: 8.5pt; color: #444; margin: 1mm 0; } .change { color: #333; font-style: normal; } dl { display: grid; grid-template-columns: max-content 1fr; gap: .5mm 5mm; margin: 2mm 0; } dt { color: #444; } dd { margin: 0; }
`

/** A self-contained page that prints on A4. Holds no script and asks nobody for anything. */
export function acceptanceReport({ measurement, verdict, slideBytes, language, origin }: ReportOptions): string {
  const say = acceptanceSpeaker(language)
  const faces = [...(verdict.isSimulated ? ['simulated'] : []), ...(verdict.isFewSamples ? ['fewSamples'] : [])] as AcceptanceWord[]
  const title = `${say('title')}: ${escapeHtml(measurement.line)}`
  return `<!doctype html>
<html lang="${language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${STYLE}</style></head>
<body>
<div class="head"><h1>${title}</h1>${badge(verdict.level, say)}</div>
${faces.map(face => `<p class="face" role="note">${say(face)}</p>`).join('\n')}
<dl><dt>${say('when')}</dt><dd>${escapeHtml(measurement.startedAt)} – ${escapeHtml(measurement.endedAt)}</dd>
${measurement.paths.map(path => `<dt>${say('path', { path: escapeHtml(path.name) })}</dt><dd>${say('idle')}: ${delays(path)}; ${say('mtu')}: ${path.mtuBytes ?? '–'} B</dd>`).join('\n')}</dl>
${verdict.paths.map(({ name, uses }) => `<h2>${say('verdict')}${verdict.paths.length > 1 ? `, ${say('path', { path: escapeHtml(name) })}` : ''}</h2>${verdictTable(uses, slideBytes, say)}`).join('\n')}
${measurement.secondPath.length === 0 ? '' : `<h2>${say('secondPath')}</h2><ul>${measurement.secondPath.map(effect => `<li>${secondPathText(effect, say)}</li>`).join('')}</ul>`}
${measurement.paths.map(path => pathSection(path, measurement.paths.length > 1, say)).join('\n')}
<p class="about">${say('about', { pyramid: inMegabits(measurement.recorded.pyramid), whole: inMegabits(measurement.recorded.whole) })}<br>${escapeHtml(origin)}</p>
</body></html>
`
}

const badge = (level: AcceptanceLevel, say: SayAcceptance): string => `<span class="level ${level}">${say(level)}</span>`

const delays = ({ idle: { roundTrip } }: PathMeasurement): string => [roundTrip.p50, roundTrip.p95, roundTrip.max].map(inMillis).join(' / ')

function verdictTable(uses: readonly UseSummary[], slideBytes: number, say: SayAcceptance): string {
  const rows = uses.map(summary => {
    const findings = sharedFindings(summary).map(finding => findingText(finding, say))
    const why = findings.length === 0 ? fineText(summary, say) : `<ul>${findings.map(({ why: text, change }) => `<li>${text} <em class="change">→ ${change}</em></li>`).join('')}</ul>`
    const hours = summary.use === 'slides' ? `<br><small>${slidesText(summary, slideBytes, say)}</small>` : ''
    return `<tr><th scope="row">${say(summary.use)}${hours}</th><td>${badge(summary.level, say)}</td><td>${why}</td></tr>`
  })
  return `<table class="verdict"><thead><tr><th>${say('use')}</th><th>${say('verdict')}</th><th>${say('reason')}</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
}

const secondPathText = ({ targetBitsPerSecond, sent, lostFirst, lostSecond, lostBoth }: SecondPathEffect, say: SayAcceptance): string =>
  say('secondPathOf', { rate: inMegabits(targetBitsPerSecond), first: inPercent(lostFirst / sent), second: inPercent(lostSecond / sent), both: inPercent(lostBoth / sent) })

function pathSection(path: PathMeasurement, isNamed: boolean, say: SayAcceptance): string {
  const plots = drawPlots(path, say)
  const figure = (word: AcceptanceWord, svg: string | undefined): string => `<figure><figcaption>${say(word)}</figcaption>${svg ?? `<p>${say('noBursts')}</p>`}</figure>`
  const time = plots.time === undefined ? '' : figure('plotTime', plots.time)
  return `<h2 class="measured">${say('measured')}${isNamed ? `, ${say('path', { path: escapeHtml(path.name) })}` : ''}</h2>${plotKey(say)}
<div class="plots">${figure('plotRate', plots.rate)}${figure('plotQueue', plots.queue)}${figure('plotRoundTrip', plots.roundTrip)}${figure('plotBursts', plots.bursts)}${time}</div>
${path.stability.length === 0 ? '' : `<p>${stabilityText(path.stability, say)}</p>`}
<h3>${say('loads')}</h3>${loadsTable(path.steps, say)}${skippedText(path, say)}`
}

function stabilityText(windows: readonly StepResult[], say: SayAcceptance): string {
  const losses = windows.map(lossRatio)
  return say('stabilityOf', {
    windows: windows.length, seconds: ((windows[0]?.departure.millis ?? 0) / 1000).toFixed(0), lost: inPercent(losses.reduce((sum, loss) => sum + loss, 0) / windows.length),
    worst: inPercent(Math.max(...losses)), queue: inMillis(Math.max(...windows.map(({ queue }) => queue?.p95 ?? 0))),
  })
}

function loadsTable(steps: readonly StepResult[], say: SayAcceptance): string {
  const heads: readonly AcceptanceWord[] = ['offered', 'delivered', 'lost', 'burstLongest', 'reordered', 'roundTrip', 'queue']
  const rows = steps.map(step => {
    const { reception, roundTrip, queue } = step
    const longest = reception.lossRuns.reduce((most, { millis }) => Math.max(most, millis), 0)
    const cells = [inMegabits(offeredRate(step)), inMegabits(deliveredRate(step)), inPercent(lossRatio(step)), inMillis(longest), String(reception.reordered), `${inMillis(roundTrip?.p50)} / ${inMillis(roundTrip?.p95)}`, inMillis(queue?.p95)]
    return `<tr><td>${say(step.direction)}</td><td>${say(`shape.${step.shape}`)}</td>${cells.map(cell => `<td class="n">${cell}</td>`).join('')}</tr>`
  })
  return `<table class="loads"><thead><tr><th></th><th>${say('shape')}</th>${heads.map(head => `<th class="n">${say(head)}</th>`).join('')}</tr></thead><tbody>${rows.join('')}</tbody></table>`
}

function skippedText({ skipped }: PathMeasurement, say: SayAcceptance): string {
  if (skipped.length === 0) return ''
  const list = skipped.map(({ direction, shape, targetBitsPerSecond }) => `${inMegabits(targetBitsPerSecond)} ${say(direction)}, ${say(`shape.${shape}`)}`).join('; ')
  return `<p class="about">${say('skipped', { list })}</p>`
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Names of lines and paths come from files and command lines. */
const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, character => ENTITIES[character] ?? character)
