import './jitless.ts'
import { render } from 'preact'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { LineRate } from '../../relay/wire/signaling.ts'
import { DpopKey } from './access/dpop-key.ts'
import { GrantClient } from './access/grant-client.ts'
import { tabSignInKeeper } from './access/kept-sign-in.ts'
import { SignInClient } from './access/sign-in-client.ts'
import { SignIn } from './access/sign-in.ts'
import { chooseLanguage } from './i18n.ts'
import type { KenkyoHandle } from './inspect.ts'
import { createHandle } from './inspection.ts'
import { App } from './interface/app.tsx'
import { InterfaceState } from './interface/interface-state.ts'
import { bindKeyboard } from './interface/keyboard.ts'
import { Notice } from './interface/notice.tsx'
import type { Failure } from './interface/notice.tsx'
import { MeasureInput } from './measure/measure-input.ts'
import { readInvitation } from './session/invitation-link.ts'
import type { Invitation } from './session/invitation-link.ts'
import { LazySlides } from './slides/lazy-slides.ts'
import { bindVoiceKeys } from './voice/voice-keys.ts'
import { watchCanvasSize } from './view/canvas-size.ts'
import { Gestures } from './view/gestures.ts'
import { Viewer } from './viewer.ts'
import type { ViewerOptions } from './viewer.ts'

declare global {
  var kenkyo: KenkyoHandle | undefined
}

const root = document.getElementById('app') ?? document.body
const minimapPixels = { width: 384, height: 216 }

function createCanvas(className: string, size: { width: number; height: number } = { width: 1, height: 1 }): HTMLCanvasElement {
  const canvas = document.createElement('canvas')
  return Object.assign(canvas, { className, ...size })
}

/**
 * `?frames=video` and `?upload=planes|texture` choose paths that would not be taken by themselves;
 * `?downlink=<Mbit/s>` says what this viewer's line is known to carry; `?relay=only` lets media go over a relay alone.
 */
function readOptions(query: URLSearchParams, { ticket }: Invitation): ViewerOptions {
  const upload = query.get('upload')
  const line = LineRate.safeParse(Math.round(Number(query.get('downlink')) * 1e6))
  return {
    line: { ...(line.success ? { downlinkBitsPerSecond: line.data } : {}), ...(query.get('relay') === 'only' ? { iceTransportPolicy: 'relay' } : {}) },
    upload: upload === 'planes' || upload === 'texture' ? upload : undefined,
    forceVideoElements: query.get('frames') === 'video',
    openKey,
    signIn: new SignIn({ node: new GrantClient(location.origin), client: new SignInClient(location.origin), ticket: ticket ?? null, keeper: tabSignInKeeper }),
  }
}

/** @throws {RelayFault} `bad_config` where the browser gives a page no keys. */
function openKey(): Promise<DpopKey> {
  // Only to pages that came over TLS, or from this machine.
  return isSecureContext ? DpopKey.open() : Promise.reject(new RelayFault('bad_config', 'the page came without TLS'))
}

function open(): void {
  const invitation = readInvitation(location.href)
  if (!('RTCPeerConnection' in globalThis)) throw new RelayFault('unavailable', 'no WebRTC')
  if (!('OffscreenCanvas' in globalThis)) {
    showFailure('no_webgl2')
    return
  }
  const [main, minimap] = [createCanvas('picture'), createCanvas('map', minimapPixels)]
  main.tabIndex = 0
  main.setAttribute('role', 'application')
  document.body.prepend(main)
  const viewer = new Viewer(invitation, { main, minimap }, readOptions(new URLSearchParams(location.search), invitation))
  const state = new InterfaceState()
  watchCanvasSize(main, (size, ratio) => viewer.resize(size, ratio))
  new Gestures(main, viewer)
  new MeasureInput(main, viewer)
  const slides = new LazySlides(viewer)
  bindVoiceKeys(viewer.voice, () => state.hasLetterKeys.value)
  bindKeyboard(viewer, state, slides)
  globalThis.kenkyo = createHandle(viewer, slides)
  render(<App viewer={viewer} state={state} slides={slides} minimap={minimap} />, root)
  const leaving = new AbortController()
  globalThis.addEventListener('pagehide', () => leaving.abort())
  // A page that comes back from the browser's cache has lost its session.
  globalThis.addEventListener('pageshow', event => {
    if (event.persisted) location.reload()
  })
  void viewer.run(leaving.signal)
}

function showFailure(failure: Failure): void {
  render(<Notice failure={failure} language={chooseLanguage(navigator.languages)} />, root)
}

// Another link pasted into the same tab is another consultation.
globalThis.addEventListener('hashchange', () => location.reload())
try {
  open()
} catch (error) {
  showFailure(toFault(error))
}
