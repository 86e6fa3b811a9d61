import { Counter, Gauge } from 'prom-client'
import type { Registry } from 'prom-client'

/** The metrics of a node's recordings. `docs/METRICS.md` lists them; a test compares the two. */
export class RecordingMetrics {
  readonly on
  readonly storedBytes
  readonly writtenBytes
  readonly ended
  readonly replays

  constructor(registry: Registry) {
    const registers = [registry]
    this.on = new Gauge({ name: 'kenkyo_recordings_on', help: 'Consultations that are being recorded now.', registers })
    this.storedBytes = new Gauge({ name: 'kenkyo_recording_stored_bytes', help: 'Bytes that recordings take together, those that are on included.', registers })
    this.writtenBytes = new Counter({ name: 'kenkyo_recording_written_bytes_total', help: 'Bytes handed to the disk for recordings.', registers })
    this.ended = new Counter({
      name: 'kenkyo_recordings_ended_total', help: 'Recordings that ended, by ok where somebody stopped them or everybody left, or by the fault code that cut them.', labelNames: ['outcome'] as const, registers,
    })
    this.replays = new Gauge({ name: 'kenkyo_replays', help: 'Recordings that are being replayed to somebody now.', registers })
  }
}
