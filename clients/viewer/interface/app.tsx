import type { JSX } from 'preact'
import { text } from '../i18n.ts'
import { Badge } from './badge.tsx'
import { Controls, MoreMenu } from './controls.tsx'
import { Help } from './help.tsx'
import type { InterfaceState } from './interface-state.ts'
import { MinimapView } from './minimap.tsx'
import { AccessLayer } from '../access/access-layer.tsx'
import { AccessNotice } from '../access/access-notice.tsx'
import { Panel } from './panel.tsx'
import { DrawingTools } from '../instruments/drawing-tools.tsx'
import { ImageDrawingLayer, PointingLayer } from '../instruments/pointing-layer.tsx'
import { StagePanel } from './stage-panel.tsx'
import { StillScreen } from '../stills/still-screen.tsx'
import { StillTidings } from '../stills/still-tidings.tsx'
import { LiveScale } from '../measure/live-scale.tsx'
import { MeasureLayer } from '../measure/measure-layer.tsx'
import { MeasurePanel } from '../measure/measure-panel.tsx'
import { MemberList } from '../members/member-list.tsx'
import { QualityReason, QualitySign } from '../quality/quality-sign.tsx'
import { TechnicianPage } from '../technician/technician-page.tsx'
import { VoiceBar } from '../voice/voice-bar.tsx'
import { WithheldNotice } from './withheld-notice.tsx'
import { WithheldOutline } from './withheld-outline.tsx'
import { RecordingBadge } from '../recording/recording-badge.tsx'
import { RecordingPanel, ReplayBar } from '../recording/recording-panel.tsx'
import { PreflightPanel } from '../preflight/preflight-panel.tsx'
import type { LazySlides } from '../slides/lazy-slides.ts'
import type { Viewer } from '../viewer.ts'

/** Everything around the picture. */
export function App(props: { readonly viewer: Viewer; readonly state: InterfaceState; readonly slides: LazySlides; readonly minimap: HTMLCanvasElement }): JSX.Element {
  const { viewer, state, slides, minimap } = props
  const failure = viewer.failure.value
  document.documentElement.lang = viewer.language.value
  document.querySelector('canvas.picture')?.setAttribute('aria-label', text(viewer.language.value, 'microscope'))
  if (viewer.members.me.value?.role === 'technician') return <><TechnicianPage viewer={viewer} /><AccessLayer viewer={viewer} /></>
  const isCovered = viewer.plan.isCovered.value
  const voice = <VoiceBar part={viewer.voice} language={viewer.language.value} />
  return (
    <>
      <div class={state.isDimmed.value ? 'chrome dimmed' : 'chrome'} inert={isCovered}>
        <PointingLayer viewer={viewer} />
        <ImageDrawingLayer viewer={viewer} />
        <WithheldOutline viewer={viewer} />
        <MeasureLayer viewer={viewer} />
        <div class="tidings">
          <div class="first">
            <QualitySign viewer={viewer} />
            <Badge viewer={viewer} />
          </div>
          <QualityReason viewer={viewer} />
          <WithheldNotice viewer={viewer} />
          <StillTidings part={viewer.stills} language={viewer.language.value} />
        </div>
        <Controls viewer={viewer} state={state} slides={slides} />
        {/* What opens, one below the other. */}
        <div class="drawers">
          <MoreMenu viewer={viewer} state={state} slides={slides} />
          <MeasurePanel viewer={viewer} />
          {state.areMembersOpen.value && <MemberList viewer={viewer} />}
          <RecordingPanel part={viewer.recording} language={viewer.language.value} />
          {state.isPanelOpen.value && <Panel viewer={viewer} />}
        </div>
        <div class="corner">
          <MinimapView viewer={viewer} canvas={minimap} />
          <LiveScale viewer={viewer} />
        </div>
        <DrawingTools viewer={viewer} />
        {!isCovered && voice}
        <StagePanel viewer={viewer} />
        <ReplayBar part={viewer.recording} language={viewer.language.value} />
        {viewer.preflight.isOpen.value && <PreflightPanel part={viewer.preflight} language={viewer.language.value} />}
        {state.isHelpOpen.value && <Help language={viewer.language.value} state={state} />}
        {failure !== null && <AccessNotice viewer={viewer} failure={failure} />}
      </div>
      <RecordingBadge part={viewer.recording} language={viewer.language.value} />
      {isCovered && <div class="voice-over">{voice}</div>}
      <StillScreen part={viewer.stills} language={viewer.language.value} />
      <AccessLayer viewer={viewer} />
    </>
  )
}
