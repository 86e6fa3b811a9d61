import ffmpeg from 'fluent-ffmpeg'
import { DropOldestQueue } from '../../relay/runtime/bounded-queue.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { FfmpegCommand } from 'fluent-ffmpeg'
import type { Readable } from 'node:stream'
import type { SourceEnd } from './encoded-frame.ts'
import type { EncoderPlan } from './encoder-arguments.ts'

/** What one ffmpeg process reads. */
export interface FfmpegInput {
  /** A path or address for ffmpeg, or a stream for its standard input. */
  readonly source: string | Readable
  /** Options before the input. */
  readonly options: readonly string[]
}

/** Lines of ffmpeg's complaints that are kept to explain its end. */
const KEPT_LINES = 8
/** The longest complaint that is repeated to people. */
const LONGEST_COMPLAINT = 200

/** One ffmpeg process: started when opened, killed when closed. */
export class FfmpegProcess implements AsyncDisposable {
  readonly #command: FfmpegCommand
  readonly #inputName: string | undefined
  readonly #complaints = new DropOldestQueue<string>(KEPT_LINES)
  readonly #closed = Promise.withResolvers<SourceEnd>()
  #isClosing = false

  private constructor(input: FfmpegInput, plan: EncoderPlan, path: string) {
    this.#inputName = typeof input.source === 'string' ? input.source : undefined
    this.#command = this.#buildCommand(input, plan, path)
  }

  /** Starts ffmpeg; whatever keeps it from running settles {@link closed}. */
  static open(input: FfmpegInput, plan: EncoderPlan, path: string): FfmpegProcess {
    const process = new FfmpegProcess(input, plan, path)
    process.#command.run()
    return process
  }

  /** Settles once the process is gone: `ended` when it had nothing more to read. Never rejects. */
  get closed(): Promise<SourceEnd> {
    return this.#closed.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true
    this.#command.kill('SIGKILL')
    await this.#closed.promise
  }

  #buildCommand(input: FfmpegInput, plan: EncoderPlan, path: string): FfmpegCommand {
    const command = ffmpeg(input.source)
      .setFfmpegPath(path)
      .inputOptions(['-hide_banner', '-nostats', '-loglevel', 'error', ...input.options])
      .complexFilter(plan.filterGraph)
    for (const output of plan.outputs) command.output(output.url).outputOptions([...output.options])
    return command
      .on('start', () => {
        // A kill before there was a process had nothing to kill.
        if (this.#isClosing) command.kill('SIGKILL')
      })
      .on('stderr', (line: string) => this.#complaints.push(line))
      .on('end', () => this.#closed.resolve({ code: 'ended' }))
      .on('error', (cause: Error) => this.#closed.resolve({ code: 'failed', fault: this.#explain(cause) }))
  }

  /** ffmpeg's own last words, without the name of the input, which may identify a patient. */
  #explain(cause: Error): RelayFault {
    let lastWords: string | undefined
    for (let line = this.#complaints.shift(); line !== undefined; line = this.#complaints.shift()) {
      // The first complaint is the reason; what follows, once per output, are its consequences.
      lastWords ??= line.trim() === '' ? undefined : line.trim()
    }
    const anonymous = this.#inputName === undefined ? lastWords : lastWords?.replaceAll(this.#inputName, '<input>')
    const reason = anonymous === undefined ? '' : `: ${anonymous.slice(0, LONGEST_COMPLAINT)}`
    return new RelayFault('encoder_failed', `ffmpeg ended${reason}`, { cause })
  }
}
