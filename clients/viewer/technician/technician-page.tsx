import './technician.css'
import type { JSX } from 'preact'
import { useLayoutEffect } from 'preact/hooks'
import { PointingLayer } from '../instruments/pointing-layer.tsx'
import { Badge } from '../interface/badge.tsx'
import { AccessNotice } from '../access/access-notice.tsx'
import { WithheldNotice } from '../interface/withheld-notice.tsx'
import { WithheldOutline } from '../interface/withheld-outline.tsx'
import { text } from '../i18n.ts'
import { MemberList } from '../members/member-list.tsx'
import { QualityReason, QualitySign } from '../quality/quality-sign.tsx'
import { PreflightPanel } from '../preflight/preflight-panel.tsx'
import { RecordingBadge } from '../recording/recording-badge.tsx'
import { cssColour } from '../slides/member-colours.ts'
import { stageText } from '../stage/stage-words.ts'
import type { StageTextKey } from '../stage/stage-words.ts'
import { VoiceBar } from '../voice/voice-bar.tsx'
import type { Viewer } from '../viewer.ts'
import { technicianText } from './technician-words.ts'
import type { TechnicianTextKey } from './technician-words.ts'

interface PageProperties {
  readonly viewer: Viewer
}

/** The picture makes room for the column beside it. */
const PAGE_CLASS = 'for-technician'

function holderWords(viewer: Viewer): string {
  const { holder, isMine, stoppedBy } = viewer.stageHold
  const say = (key: StageTextKey, n = ''): string => stageText(viewer.language.value, key, n)
  if (isMine.value) return say('mine')
  if (holder.value !== null) return say('theirs', holder.value.memberId)
  return stoppedBy.value !== null ? say('stopped', stoppedBy.value.memberId) : say('nobody')
}

/** Who holds the stage, and the button that always stops it. */
function StageControl({ viewer }: PageProperties): JSX.Element {
  const language = viewer.language.value
  const stage = viewer.stage.stage.value
  const { holder, isMine, stoppedBy } = viewer.stageHold
  const shown = holder.value ?? stoppedBy.value
  const say = (key: TechnicianTextKey): string => technicianText(language, key)
  return (
    <section class="technician-stage" aria-label={text(language, 'stage')}>
      <button type="button" class="big-stop" disabled={stage === null} aria-describedby="stop-hint" onClick={() => void viewer.stageHold.stop()}>
        {say('stopStage')}
      </button>
      <p id="stop-hint" class="quiet">
        {say(stage === null ? 'noStage' : 'stopHint')}
      </p>
      <p class="holder" role="status">
        {shown !== null && <i aria-hidden="true" style={{ background: cssColour(shown.colour) }} />}
        <span>{holderWords(viewer)}</span>
      </p>
      {stage !== null && (
        <div class="row">
          <span class="quiet">{say(stage.state.isMoving ? 'moving' : 'resting')}</span>
          {viewer.stageHold.mayClaim && <button type="button" disabled={holder.value !== null && !isMine.value} onClick={() => void (isMine.value ? viewer.stageHold.release() : viewer.stageHold.claim())}>
            {stageText(language, isMine.value ? 'release' : 'claim')}
          </button>}
        </div>
      )}
    </section>
  )
}

/** The page of whoever stands beside the microscope: the live image, who steers it, the stop, the check before the case, the voice, and who is here. */
export function TechnicianPage({ viewer }: PageProperties): JSX.Element {
  const language = viewer.language.value
  const failure = viewer.failure.value
  useLayoutEffect(() => {
    document.documentElement.classList.add(PAGE_CLASS)
    return () => document.documentElement.classList.remove(PAGE_CLASS)
  }, [])
  return (
    <>
      <PointingLayer viewer={viewer} />
      <WithheldOutline viewer={viewer} />
      <div class="tidings">
        <div class="first">
          <QualitySign viewer={viewer} />
          <Badge viewer={viewer} />
        </div>
        <QualityReason viewer={viewer} />
        <WithheldNotice viewer={viewer} />
      </div>
      <RecordingBadge part={viewer.recording} language={language} />
      <main class="technician">
        <header>
          <h1>{technicianText(language, 'page')}</h1>
          <button type="button" lang={language === 'ja' ? 'en' : 'ja'} onClick={() => viewer.setLanguage(language === 'ja' ? 'en' : 'ja')}>
            {language === 'ja' ? 'English' : '日本語'}
          </button>
        </header>
        <StageControl viewer={viewer} />
        <button type="button" aria-pressed={viewer.preflight.isOpen.value} onClick={() => viewer.preflight.toggle()}>
          {text(language, 'preflight')}
        </button>
        <VoiceBar part={viewer.voice} language={language} />
        <MemberList viewer={viewer} />
      </main>
      {viewer.preflight.isOpen.value && <PreflightPanel part={viewer.preflight} language={language} />}
      {failure !== null && <AccessNotice viewer={viewer} failure={failure} />}
    </>
  )
}
