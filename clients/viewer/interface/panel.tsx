import type { JSX } from 'preact'
import { text } from '../i18n.ts'
import type { TextKey } from '../i18n.ts'
import { NO_FREEZES } from '../picture/freeze-meter.ts'
import type { Viewer } from '../viewer.ts'
import { formatBitRate, formatSize } from './format.ts'
import { mediaPathText } from './media-path-text.ts'

function rows(viewer: Viewer): readonly (readonly [TextKey, string])[] {
  const say = (key: TextKey, n: number | string = ''): string => text(viewer.language.value, key, n)
  const { image, canvas, viewport, drawn, traffic, plan, publication, joinSeconds, lastFault, experience } = viewer
  const state = drawn.value
  const declared = publication.value?.pyramid.framesPerSecond
  const { roundTripSeconds, lossRatio, bitsPerSecondReceived, decoders, srtpCipher, mediaPath } = traffic.value
  const freezes = state?.freezes ?? NO_FREEZES
  const none = '–'
  const glass = experience.value?.captureToGlassMillis
  return [
    ['source', image.value === null ? none : `${formatSize(image.value)}${declared === undefined ? '' : ` · ${declared} fps`}`],
    ['canvas', `${formatSize(canvas.value)} · @${viewer.devicePixelRatio.value}`],
    ['zoom', viewport.value === null ? none : `${(viewport.value.scale * 100).toFixed(1)} %`],
    ['drawn', `${(state?.framesPerSecond ?? 0).toFixed(0)} fps`],
    ['captureToGlass', glass === undefined || glass === null ? none : `${glass.p50.toFixed(0)} ms · p95 ${glass.p95.toFixed(0)} ms`],
    ['received', formatBitRate(bitsPerSecondReceived)],
    ['roundTrip', roundTripSeconds === null ? none : `${(roundTripSeconds * 1000).toFixed(0)} ms`],
    ['mediaPath', mediaPath === null ? none : mediaPathText(viewer.language.value, mediaPath, viewer.relayCost.value)],
    ['loss', `${(lossRatio * 100).toFixed(2)} %`],
    ['freezes', `${freezes.count} · ${say('longest', freezes.longestSeconds.toFixed(1))}`],
    ['renditions', `${say('watched', plan.demand.value.renditions.length)} · ${say('heldOut', state?.heldOut.length ?? 0)}`],
    ['decoder', decoders.join(', ') || none],
    ['encryption', srtpCipher ?? none],
    ['upload', state === null ? none : `${state.upload} · ${state.renderer}`],
    ['alignment', `${(state?.alignmentWaitMs ?? 0).toFixed(0)} ms · ${viewer.picture.alignment}`],
    ['join', joinSeconds.value === null ? none : `${joinSeconds.value.toFixed(2)} s`],
    ['fault', lastFault.value === null ? none : lastFault.value.code],
  ]
}

/** Figures for those who want to know. */
export function Panel({ viewer }: { readonly viewer: Viewer }): JSX.Element {
  return (
    <dl class="panel" aria-label={text(viewer.language.value, 'panel')}>
      {rows(viewer).map(([key, value]) => (
        <div key={key}>
          <dt>{text(viewer.language.value, key)}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
