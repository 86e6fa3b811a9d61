import './voice.css'
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { RelayFault } from '../../../relay/wire/fault.ts'
import type { Language } from '../i18n.ts'
import type { AudioDevice } from './devices.ts'
import type { VoicePart } from './voice-part.ts'
import { refusalText, voiceText } from './voice-words.ts'
import type { VoiceTextKey } from './voice-words.ts'

interface VoiceProperties {
  readonly part: VoicePart
  readonly language: Language
}

/** Outlines on a grid of 16. */
const MICROPHONE = 'M8 1.500a2 2 0 0 1 2 2v4a2 2 0 0 1-4 0v-4a2 2 0 0 1 2-2zM3.500 7.500a4.500 4.500 0 0 0 9 0M8 12v2.500M5.500 14.500h5'

function MicrophoneSign({ isOff }: { readonly isOff: boolean }): JSX.Element {
  return (
    <svg viewBox="0 0 16 16" width="1.2em" height="1.2em" fill="none" stroke="currentColor" stroke-width="1.3" aria-hidden="true">
      <path d={isOff ? `${MICROPHONE}M2 2l12 12` : MICROPHONE} />
    </svg>
  )
}

/** How loud the microphone is. Drawn without the component, many times a second. */
function Level({ part, language }: VoiceProperties): JSX.Element {
  const meter = useRef<HTMLMeterElement>(null)
  useEffect(
    () =>
      part.level.subscribe(level => {
        if (meter.current !== null) meter.current.value = level
      }),
    [part],
  )
  return <meter ref={meter} min={0} max={1} low={0.15} high={0.92} optimum={0.5} aria-label={voiceText(language, 'level')} />
}

function Choice(props: { readonly label: string; readonly none: string; readonly devices: readonly AudioDevice[]; readonly chosen: string; readonly onChoose: (deviceId: string) => void }): JSX.Element {
  const { label, none, devices, chosen, onChoose } = props
  return (
    <label>
      <span>{label}</span>
      <select value={devices.some(({ deviceId }) => deviceId === chosen) ? chosen : ''} onChange={({ currentTarget }) => onChoose(currentTarget.value)}>
        <option value="">{none}</option>
        {devices.filter(({ deviceId }) => deviceId !== 'default').map(({ deviceId, label: name }, index) => (
          <option key={deviceId} value={deviceId}>
            {name === '' ? `${label} ${index + 1}` : name}
          </option>
        ))}
      </select>
    </label>
  )
}

function Settings({ part, language }: VoiceProperties): JSX.Element {
  const { devices, gate } = part
  const say = (key: VoiceTextKey): string => voiceText(language, key)
  return (
    <div class="voice-settings" role="group" aria-label={say('settings')}>
      <Choice label={say('input')} none={say('byBrowser')} devices={devices.inputs.value} chosen={devices.input.value} onChoose={id => void part.chooseInput(id)} />
      {devices.outputs.value.length > 0 && (
        <Choice label={say('output')} none={say('byBrowser')} devices={devices.outputs.value} chosen={devices.output.value} onChoose={id => part.chooseOutput(id)} />
      )}
      <label>
        <span>{say('volume')}</span>
        <input type="range" min={0} max={1} step={0.05} value={devices.volume.value} onInput={({ currentTarget }) => part.setVolume(Number(currentTarget.value))} />
      </label>
      <label class="check">
        <input type="checkbox" checked={gate.isPushToTalk.value} onChange={({ currentTarget }) => (gate.isPushToTalk.value = currentTarget.checked)} />
        <span>{say('pushToTalk')}</span>
      </label>
    </div>
  )
}

/** Opens the microphone while it is pressed, by whatever it is pressed. */
function HoldButton({ part, language }: VoiceProperties): JSX.Element {
  const hold = (isHeld: boolean): void => void (part.gate.isHeld.value = isHeld)
  const key = (isHeld: boolean) => (event: KeyboardEvent): void => {
    if (event.key !== ' ' && event.key !== 'Enter') return
    event.preventDefault()
    hold(isHeld)
  }
  return (
    <button
      type="button"
      class="hold-to-talk"
      title={voiceText(language, 'holdHint')}
      aria-pressed={part.gate.isHeld.value}
      onPointerDown={event => {
        event.currentTarget.setPointerCapture(event.pointerId)
        hold(true)
      }}
      onPointerUp={() => hold(false)}
      onPointerCancel={() => hold(false)}
      onContextMenu={event => event.preventDefault()}
      onKeyDown={key(true)}
      onKeyUp={key(false)}
      onBlur={() => hold(false)}
    >
      {voiceText(language, 'hold')}
    </button>
  )
}

function SpeakerButtons({ part, language }: VoiceProperties): JSX.Element {
  const [isOpen, setOpen] = useState(false)
  const say = (key: VoiceTextKey): string => voiceText(language, key)
  const isSilent = !part.gate.isOpen.value
  return (
    <>
      {isOpen && <Settings part={part} language={language} />}
      <div class="row">
        <button type="button" class="mute" aria-pressed={isSilent} onClick={() => part.gate.toggle()}>
          <MicrophoneSign isOff={isSilent} />
          <span>{say(isSilent ? 'unmute' : 'mute')}</span>
        </button>
        <Level part={part} language={language} />
        {(part.gate.isMuted.value || part.gate.isPushToTalk.value) && <HoldButton part={part} language={language} />}
        <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {say('settings')}
        </button>
        <button type="button" onClick={() => part.stop()}>
          {say('hangUp')}
        </button>
      </div>
    </>
  )
}

function faultText(language: Language, fault: RelayFault): string {
  if (fault.code === 'overloaded') return voiceText(language, 'full')
  return fault.code === 'unsupported_media' ? voiceText(language, 'unsupported') : voiceText(language, 'faulted', fault.code)
}

/** What keeps one from speaking, and what to do about it. */
function Trouble({ part, language }: VoiceProperties): JSX.Element | null {
  const { refusal, fault } = part
  if (refusal.value === null && fault.value === null) return null
  return (
    <div class="voice-trouble" role="alert">
      <p data-refusal={refusal.value}>{refusal.value !== null ? refusalText(language, refusal.value) : fault.value !== null && faultText(language, fault.value)}</p>
      <div class="row">
        {part.state.value === 'off' && (
          <button type="button" onClick={() => void part.start()}>
            {voiceText(language, 'again')}
          </button>
        )}
        <button type="button" onClick={() => part.dismiss()}>
          {voiceText(language, 'dismiss')}
        </button>
      </div>
    </div>
  )
}

/** Who of the others can be heard, and who speaks. */
function Others({ part, language }: VoiceProperties): JSX.Element | null {
  const others = part.others.value
  if (others.length === 0) return null
  return (
    <ul class="voices" aria-label={voiceText(language, 'voice')}>
      {others.map(({ producerId, memberId, isMicrophoneOpen, isSpeaking }) => (
        <li key={producerId} class={isSpeaking ? 'speaking' : isMicrophoneOpen ? 'open' : 'closed'}>
          <MicrophoneSign isOff={!isMicrophoneOpen} />
          <span>{memberId}</span>
          <span class="visually-hidden">{voiceText(language, isSpeaking ? 'speaking' : isMicrophoneOpen ? 'hears' : 'microphoneOf', memberId)}</span>
        </li>
      ))}
    </ul>
  )
}

/** Speaking and hearing: everything of it that is seen; nothing where one may not speak and nobody is heard. */
export function VoiceBar({ part, language }: VoiceProperties): JSX.Element | null {
  const state = part.state.value
  if (!part.maySpeak && state === 'off' && part.others.value.length === 0 && part.fault.value === null) return null
  return (
    <section class="voice" aria-label={voiceText(language, 'voice')} data-state={state}>
      <Trouble part={part} language={language} />
      {part.isBlocked.value && (
        <button type="button" class="blocked">
          {voiceText(language, 'blocked')}
        </button>
      )}
      <Others part={part} language={language} />
      {state === 'off' && part.maySpeak && (
        <button type="button" class="begin" onClick={() => void part.start()}>
          <MicrophoneSign isOff={false} />
          <span>{voiceText(language, 'speak')}</span>
        </button>
      )}
      {state === 'on' && <SpeakerButtons part={part} language={language} />}
      <p class={state === 'off' ? 'visually-hidden' : 'said'} role="status">
        {state === 'asking' ? voiceText(language, 'asking') : state === 'on' ? voiceText(language, !part.isConnected.value ? 'connecting' : part.gate.isOpen.value ? 'open' : 'closed') : ''}
      </p>
    </section>
  )
}
