import type { RelayFault } from '../../relay/wire/fault.ts'
import type { CapturedPixels, InspectedFault, InspectedStage, InspectedViewport, InspectedVoice, Inspection, KenkyoHandle } from './inspect.ts'
import { valueOf } from './measure/measurement.ts'
import { NO_FREEZES } from './picture/freeze-meter.ts'
import type { LazySlides } from './slides/lazy-slides.ts'
import { visibleRect } from './view/viewport.ts'
import type { Size, Viewport } from './view/viewport.ts'
import type { Viewer } from './viewer.ts'

function inspectViewport(viewport: Viewport | null | undefined, image: Size | null, canvas: Size): InspectedViewport | null {
  if (viewport === null || viewport === undefined || image === null) return null
  return { ...visibleRect(viewport, image, canvas), scale: viewport.scale }
}

const inspectFault = (fault: RelayFault | null): InspectedFault | null => fault && { code: fault.code, message: fault.message }

function inspectStage({ stage: { stage, fault, latencies }, stageHold: { holder, isMine, stoppedBy } }: Viewer): InspectedStage | null {
  if (stage.value === null) return null
  const { state, objectives, travel } = stage.value
  return {
    ...state, objectives, travel, fault: inspectFault(fault.value), holder: holder.value, isMine: isMine.value, stoppedBy: stoppedBy.value, closedLoopMillis: latencies,
  }
}

function inspectVoice({ voice }: Viewer): InspectedVoice {
  const { state, refusal, gate, level, isBlocked, speakers, received, readings, fault } = voice
  return {
    state: state.value, refusal: refusal.value, isMicrophoneOpen: state.value === 'on' && gate.isOpen.value, isPushToTalk: gate.isPushToTalk.value, level: level.value,
    isBlocked: isBlocked.value, speakers: speakers.value, received: received.value, readings, fault: inspectFault(fault.value),
  }
}

function inspectAccess({ access: { session, allowance, grant, coreLoss, ended, loss } }: Viewer): Inspection['access'] {
  return {
    mode: session.isPlatform ? 'platform' : 'alone', actions: [...allowance.actions.value], purpose: grant.value?.purpose ?? null, validUntilMillis: grant.value?.validUntilMillis ?? null,
    emergencyUntilMillis: grant.value?.emergencyUntilMillis ?? null, isCoreLost: coreLoss.value !== null, ended: ended.value?.code ?? null, loss: loss.value?.code ?? null,
  }
}

/** What is asked for, what comes of it, and how soon. */
function inspectFlow({ plan, timings, drawLog, pointerIsNative }: Viewer) {
  return {
    watching: plan.demand.value.renditions,
    prefetching: plan.demand.value.prefetch,
    flowing: plan.told.value?.flowing ?? [],
    withheld: plan.expectation.value.withheld,
    pointerRendition: plan.pointerRendition.value,
    pointerIsNative: pointerIsNative.value,
    tileTimings: timings.finished,
    tilesAbandoned: timings.abandoned,
    tilesPending: timings.pending,
    drawLog: drawLog.entries,
  }
}

function inspectSession(viewer: Viewer) {
  return {
    connection: viewer.connection.value,
    sessionId: viewer.sessionId.value,
    publicationId: viewer.publication.value?.publicationId ?? null,
    source: viewer.publication.value?.source ?? null,
    joinSeconds: viewer.joinSeconds.value,
    lastFault: inspectFault(viewer.lastFault.value),
    stage: inspectStage(viewer),
    ...viewer.traffic.value,
    relayCostMillis: viewer.relayCost.value,
  }
}

function inspectPicture(viewer: Viewer) {
  const drawn = viewer.drawn.value
  return {
    drawnViewport: inspectViewport(drawn?.viewport, viewer.image.value, drawn?.canvas ?? viewer.canvas.value),
    truth: viewer.currentTruth(),
    shown: drawn?.shown ?? null,
    heldOut: drawn?.heldOut ?? [],
    captureToGlassMillis: viewer.captureToGlass() ?? null,
    experience: viewer.experience.value,
    framesPerSecond: drawn?.framesPerSecond ?? 0,
    framesDrawn: drawn?.framesDrawn ?? 0,
    framesLate: drawn?.framesLate ?? 0,
    freezes: drawn?.freezes ?? NO_FREEZES,
    upload: drawn?.upload ?? null,
    renderer: drawn?.renderer ?? null,
    alignment: viewer.picture.alignment,
    alignmentWaitMs: drawn?.alignmentWaitMs ?? 0,
    whole: drawn?.whole ?? null,
  }
}

function inspect(viewer: Viewer, slides: LazySlides): Inspection {
  return {
    version: 2,
    image: viewer.image.value,
    canvas: viewer.canvas.value,
    devicePixelRatio: viewer.devicePixelRatio.value,
    viewport: inspectViewport(viewer.viewport.value, viewer.image.value, viewer.canvas.value),
    mode: viewer.mode.value,
    pointing: { pointers: viewer.pointing.pointers.value, annotations: viewer.pointing.annotations.value, log: viewer.pointing.log },
    access: inspectAccess(viewer),
    quality: viewer.quality.value,
    measuring: viewer.measure.kind.value,
    measurements: viewer.measure.kept.value.map(measurement => ({ kind: measurement.kind, unit: measurement.unit, value: valueOf(measurement) })),
    voice: inspectVoice(viewer),
    members: viewer.members.present.value,
    recording: viewer.recording.status.value,
    replay: viewer.recording.origin.value && { ...viewer.recording.origin.value, status: viewer.recording.replay.value },
    preflight: { step: viewer.preflight.step.value, results: viewer.preflight.results.value },
    slides: viewer.slides.slides.value,
    stills: viewer.stills.stills.value,
    still: { last: viewer.stills.last.value, open: viewer.stills.open.value?.still.stillId ?? null, fault: inspectFault(viewer.stills.fault.value) },
    slide: slides.inspect(),
    ...inspectFlow(viewer),
    ...inspectSession(viewer),
    ...inspectPicture(viewer),
  }
}

/** Bytes to base64, in steps that fit the argument list. */
function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let start = 0; start < bytes.length; start += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 0x8000))
  }
  return btoa(binary)
}

/** Makes `globalThis.kenkyo` for a viewer. */
export function createHandle(viewer: Viewer, slides: LazySlides): KenkyoHandle {
  return {
    inspect: () => inspect(viewer, slides),
    view: to => viewer.view(to),
    fit: () => viewer.fit(),
    mode: mode => viewer.setMode(mode),
    openSlide: slideId => slides.show(slideId),
    viewSlide: to => slides.part.value?.view(to),
    claimStage: () => viewer.stageHold.claim(),
    moveStage: target => viewer.stage.moveTo(target),
    capturePixels: async (area): Promise<CapturedPixels> => {
      const { pixels, state, area: captured } = await viewer.capture(area)
      return {
        width: captured.width,
        height: captured.height,
        data: toBase64(pixels),
        shown: state.shown,
        drawnViewport: inspectViewport(state.viewport, viewer.image.value, state.canvas),
        truth: viewer.truthOf(state, state.atMs),
      }
    },
  }
}
