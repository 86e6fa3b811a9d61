import { computed, signal } from '@preact/signals'
import { Backoff } from '../../../relay/wire/backoff.ts'
import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { ProducerId, SessionId } from '../../../relay/wire/ids.ts'
import type { Notification, Speaker } from '../../../relay/wire/signaling.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { ConnectionPart, NodeVoice } from '../session/connection-part.ts'
import type { Joined } from '../session/viewer-session.ts'
import { AudioDevices } from './devices.ts'
import { Hearing } from './hearing.ts'
import type { HeardVoice } from './hearing.ts'
import { LevelMeter } from './level-meter.ts'
import { MicrophoneGate } from './microphone-gate.ts'
import { MicrophoneError, openMicrophone } from './microphone.ts'
import type { MicrophoneRefusal } from './microphone.ts'
import { Speaking } from './speaking.ts'

/** `asking`: the person is asked for the microphone. */
export type VoiceState = 'off' | 'asking' | 'on'

const LEVEL_INTERVAL_MS = 66
const HEARD_INTERVAL_MS = 500
const RETRY = { first: millis(500), cap: millis(5000) }
/** Codes that no repetition cures while things are as they are. */
const FINAL: ReadonlySet<FaultCode> = new Set(['unsupported_media', 'overloaded', 'bad_message', 'wrong_role'])

/**
 * Speaking with the others. They are heard without being asked for; the microphone is asked for when the
 * person wants to speak, and not before.
 */
export class VoicePart implements ConnectionPart {
  readonly state = signal<VoiceState>('off')
  /** Why there is no microphone; null once there is one, or none was asked for. */
  readonly refusal = signal<MicrophoneRefusal | null>(null)
  /** Why the node did not take or give a voice at the last attempt. */
  readonly fault = signal<RelayFault | null>(null)
  /** Who may speak, this viewer among them. */
  readonly speakers = signal<readonly Speaker[]>([])
  readonly me = signal<SessionId | null>(null)
  readonly others = computed(() => this.speakers.value.filter(({ sessionId }) => sessionId !== this.me.value))
  /** This viewer's voice is at the node. */
  readonly isConnected = computed(() => this.speakers.value.some(({ sessionId }) => sessionId === this.me.value))
  /** How loud the microphone is, 0 to 1. */
  readonly level = signal(0)
  /** The browser lets no sound out before the person did something. */
  readonly isBlocked = signal(false)
  /** What came of the others' voices by the last reading. */
  readonly received = signal<readonly HeardVoice[]>([])
  readonly gate = new MicrophoneGate()
  readonly devices = new AudioDevices()
  readonly #node: NodeVoice
  readonly #relayOnly: boolean
  readonly #backoff = new Backoff(RETRY)
  #track: MediaStreamTrack | undefined
  #meter: LevelMeter | undefined
  #levelTimer: ReturnType<typeof setInterval> | undefined
  #heardTimer: ReturnType<typeof setInterval> | undefined
  #retryTimer: ReturnType<typeof setTimeout> | undefined
  #hearing: Hearing | undefined
  #speaking: Speaking | undefined
  #readings = 0
  #isSettling = false
  #isUnsettled = false

  constructor(node: NodeVoice, relayOnly = false) {
    this.#node = node
    this.#relayOnly = relayOnly
    this.gate.isOpen.subscribe(isOpen => {
      if (this.#track !== undefined) this.#track.enabled = isOpen
      this.#settle()
    })
    // Browsers let sound out once the person did anything at all.
    for (const event of ['pointerdown', 'keydown']) globalThis.addEventListener(event, () => this.#unblock(), { capture: true })
  }

  /** Readings of what came, since the page was opened. */
  get readings(): number {
    return this.#readings
  }

  joined({ sessionId }: Joined): void {
    this.me.value = sessionId
    this.#settle()
  }

  lost(): void {
    this.#disconnect()
    this.speakers.value = []
    this.me.value = null
  }

  heard(notification: Notification): void {
    if (notification.type !== 'voicesChanged') return
    this.speakers.value = notification.speakers
    const speaking = this.#speaking
    if (speaking !== undefined) {
      const isListed = notification.speakers.some(({ producerId }) => producerId === speaking.producerId)
      // The node closed it.
      if (speaking.isListed && !isListed) speaking.close()
      speaking.isListed = isListed
    }
    this.#settle()
  }

  /** Whether this viewer may speak. */
  get maySpeak(): boolean {
    return this.#node.may('speak')
  }

  /** Asks for the microphone and speaks. Settles when that is decided. */
  async start(): Promise<void> {
    if (this.state.value !== 'off' || !this.maySpeak) return
    this.state.value = 'asking'
    this.refusal.value = null
    this.fault.value = null
    try {
      const track = await openMicrophone(this.devices.input.value).catch((error: unknown) => {
        // The microphone that was chosen the last time is gone.
        if (error instanceof MicrophoneError && error.refusal === 'missing' && this.devices.input.value !== '') {
          this.devices.input.value = ''
          return openMicrophone('')
        }
        throw error
      })
      this.#adopt(track)
      this.state.value = 'on'
      this.#levelTimer = setInterval(() => (this.level.value = this.#meter?.read() ?? 0), LEVEL_INTERVAL_MS)
      this.#settle()
    } catch (error) {
      this.state.value = 'off'
      this.refusal.value = error instanceof MicrophoneError ? error.refusal : 'missing'
    }
    await this.devices.refresh()
  }

  /** Lets go of the microphone. */
  stop(): void {
    clearInterval(this.#levelTimer)
    this.#meter?.close()
    this.#meter = undefined
    this.#track?.stop()
    this.#track = undefined
    this.level.value = 0
    this.state.value = 'off'
    this.gate.isHeld.value = false
    this.#settle()
  }

  /** The refusal was read. */
  dismiss(): void {
    this.refusal.value = null
    this.fault.value = null
  }

  /** Another microphone; empty for the browser's choice. */
  async chooseInput(deviceId: string): Promise<void> {
    this.devices.input.value = deviceId
    this.devices.remember()
    if (this.state.value !== 'on') return
    try {
      const track = await openMicrophone(deviceId)
      this.#adopt(track)
      await this.#speaking?.replace(track)
      this.refusal.value = null
    } catch (error) {
      this.refusal.value = error instanceof MicrophoneError ? error.refusal : 'missing'
    }
  }

  /** Another loudspeaker; empty for the browser's choice. */
  chooseOutput(deviceId: string): void {
    this.devices.output.value = deviceId
    this.#play()
  }

  /** @param volume - 0 to 1. */
  setVolume(volume: number): void {
    this.devices.volume.value = volume
    this.#play()
  }

  /** What is said of one session's voice; undefined where it has none. */
  speakerOf(sessionId: SessionId): Speaker | undefined {
    return this.speakers.value.find(speaker => speaker.sessionId === sessionId)
  }

  #adopt(track: MediaStreamTrack): void {
    this.#meter?.close()
    this.#track?.stop()
    track.enabled = this.gate.isOpen.value
    track.addEventListener('ended', () => {
      // Unplugged, or the person took the permission back.
      if (track !== this.#track) return
      this.stop()
      this.refusal.value = 'missing'
    })
    this.#track = track
    this.#meter = new LevelMeter(track)
  }

  #play(): void {
    this.devices.remember()
    this.#hearing?.setPlaying({ volume: this.devices.volume.value, output: this.devices.output.value })
  }

  #unblock(): void {
    if (!this.isBlocked.value) return
    this.isBlocked.value = false
    this.#hearing?.start()
  }

  #disconnect(): void {
    clearTimeout(this.#retryTimer)
    clearInterval(this.#heardTimer)
    this.#heardTimer = undefined
    this.#hearing?.close()
    this.#hearing = undefined
    this.#speaking?.close()
    this.#speaking = undefined
    this.received.value = []
  }

  /** Makes what is so what it should be; one attempt at a time, again while anything changed meanwhile. */
  #settle(): void {
    this.#isUnsettled = true
    if (this.#isSettling) return
    this.#isSettling = true
    void this.#settleAll()
  }

  async #settleAll(): Promise<void> {
    clearTimeout(this.#retryTimer)
    try {
      while (this.#isUnsettled) {
        this.#isUnsettled = false
        await this.#settleHearing()
        await this.#settleSpeaking()
      }
      this.#backoff.succeeded()
      this.fault.value = null
    } catch (error) {
      this.#failed(toFault(error))
    } finally {
      this.#isSettling = false
    }
  }

  #failed(fault: RelayFault): void {
    // Without a session all begins anew at joining; or the answer to joining is on its way.
    if (fault.code !== 'unavailable') this.fault.value = fault
    if (FINAL.has(fault.code)) {
      if (this.state.value === 'on') this.stop()
      this.fault.value = fault
      return
    }
    if (this.me.value !== null) this.#retryTimer = setTimeout(() => this.#settle(), this.#backoff.next())
  }

  async #settleHearing(): Promise<void> {
    const wanted: readonly ProducerId[] = this.me.value === null || !this.#node.may('hear') ? [] : this.others.value.map(({ producerId }) => producerId)
    if (this.#hearing?.isClosed === true) {
      this.#hearing.close()
      this.#hearing = undefined
    }
    if (this.#hearing === undefined && wanted.length === 0) return
    this.#hearing ??= await this.#openHearing()
    await this.#hearing.hear(wanted)
    this.#heardTimer ??= setInterval(() => void this.#read(), HEARD_INTERVAL_MS)
  }

  async #openHearing(): Promise<Hearing> {
    const session = this.me.value
    const playing = { volume: this.devices.volume.value, output: this.devices.output.value }
    const hearing = await Hearing.open(this.#node, playing, { lost: () => this.#settle(), blocked: () => (this.isBlocked.value = true) }, this.#relayOnly)
    this.#keepIn(session, hearing)
    return hearing
  }

  async #settleSpeaking(): Promise<void> {
    const track = this.#track
    if (this.#speaking?.isClosed === true) this.#speaking = undefined
    if (track === undefined) {
      const speaking = this.#speaking
      this.#speaking = undefined
      if (speaking === undefined) return
      speaking.close()
      await this.#node.ask('stopSpeaking', {})
      return
    }
    const session = this.me.value
    if (session === null || !this.maySpeak) return
    if (this.#speaking === undefined) {
      const speaking = await Speaking.open(this.#node, track, () => this.#settle(), this.#relayOnly)
      this.#keepIn(session, speaking)
      this.#speaking = speaking
      speaking.isListed = this.speakers.value.some(({ producerId }) => producerId === speaking.producerId)
      // Another microphone, or none, was chosen meanwhile.
      if (this.#track !== track) {
        this.#isUnsettled = true
        if (this.#track !== undefined) await speaking.replace(this.#track)
      }
    }
    const isOpen = this.gate.isOpen.value
    if (this.#speaking.toldOpen === isOpen) return
    await this.#node.ask('setMicrophone', { isOpen })
    this.#speaking.toldOpen = isOpen
    // It may have been opened or closed again since.
    if (this.gate.isOpen.value !== isOpen) this.#isUnsettled = true
  }

  /** @throws {RelayFault} `unavailable` when another session has begun since; then it is closed. */
  #keepIn(session: SessionId | null, connection: { close(): void }): void {
    if (session === this.me.value) return
    connection.close()
    throw new RelayFault('unavailable', 'the session is over')
  }

  async #read(): Promise<void> {
    const hearing = this.#hearing
    // A transport that was closed meanwhile has nothing to tell.
    const heard = (await hearing?.read().catch(() => undefined)) ?? []
    if (hearing !== this.#hearing) return
    this.#readings++
    this.received.value = heard
  }
}
