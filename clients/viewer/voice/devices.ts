import { signal } from '@preact/signals'
import { canChooseOutput } from './hearing.ts'
import { mediaDevices } from './microphone.ts'

/** A microphone or loudspeaker that can be chosen. */
export interface AudioDevice {
  readonly deviceId: string
  readonly label: string
}

const CHOICES = 'kenkyo.voice'

/** What was chosen the last time. A browser that keeps nothing for this page throws instead. */
function recall(): { readonly input: string; readonly output: string; readonly volume: number } {
  const none = { input: '', output: '', volume: 1 }
  try {
    const { input, output, volume } = JSON.parse(localStorage.getItem(CHOICES) ?? '{}') as Partial<Record<string, unknown>>
    return {
      input: typeof input === 'string' ? input : none.input,
      output: typeof output === 'string' ? output : none.output,
      volume: typeof volume === 'number' && volume >= 0 && volume <= 1 ? volume : none.volume,
    }
  } catch {
    return none
  }
}

/** Which microphone and loudspeaker there are, which are chosen, and how loud the others are played. */
export class AudioDevices {
  readonly inputs = signal<readonly AudioDevice[]>([])
  /** Empty where this browser chooses by itself. */
  readonly outputs = signal<readonly AudioDevice[]>([])
  /** Device ids; empty for the browser's choice. */
  readonly input = signal('')
  readonly output = signal('')
  /** 0 to 1. */
  readonly volume = signal(1)

  constructor() {
    const { input, output, volume } = recall()
    this.input.value = input
    this.output.value = output
    this.volume.value = volume
    mediaDevices()?.addEventListener('devicechange', () => void this.refresh())
  }

  /** Reads the lists again. They have names only once the microphone was allowed. */
  async refresh(): Promise<void> {
    const all = (await mediaDevices()?.enumerateDevices().catch(() => undefined)) ?? []
    const of = (kind: MediaDeviceKind): AudioDevice[] => all.filter(device => device.kind === kind && device.deviceId !== '').map(({ deviceId, label }) => ({ deviceId, label }))
    this.inputs.value = of('audioinput')
    this.outputs.value = canChooseOutput() ? of('audiooutput') : []
  }

  /** Keeps what is chosen now for the next time. */
  remember(): void {
    try {
      localStorage.setItem(CHOICES, JSON.stringify({ input: this.input.value, output: this.output.value, volume: this.volume.value }))
    } catch {
      // Then it holds until the page is closed.
    }
  }
}
