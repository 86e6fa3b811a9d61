import { BrowserViewer } from '../../bench/chromium.ts'
import { Microscope } from './microscope.ts'
import { NodeUnderTest } from './node-under-test.ts'
import type { ViewerWindow } from '../../bench/chromium.ts'
import type { NodeConfig } from '../../sfu/config.ts'

/** A whole scene: a node, a microscope publishing to it, a viewer in Chromium. Ends in the right order. */
export class Stage implements AsyncDisposable {
  readonly under: NodeUnderTest
  microscope: Microscope
  readonly viewer: BrowserViewer
  readonly #captureArguments: readonly string[]

  private constructor(under: NodeUnderTest, microscope: Microscope, viewer: BrowserViewer, captureArguments: readonly string[]) {
    this.under = under
    this.microscope = microscope
    this.viewer = viewer
    this.#captureArguments = captureArguments
  }

  /** Opens everything and waits for the first picture. */
  static async open(captureArguments: readonly string[], window: ViewerWindow, settings: Partial<NodeConfig> = {}): Promise<Stage> {
    await using scope = new AsyncDisposableStack()
    const under = scope.use(await NodeUnderTest.open(settings))
    const microscope = scope.use(Microscope.start(await under.invite('microscope', { member: 'scope' }), captureArguments))
    const viewer = scope.use(await BrowserViewer.open(await under.invite('viewer'), window))
    await viewer.until('the first picture', ({ shown }) => shown !== null, 60).catch((error: unknown) => {
      throw new Error(`no picture; the agent said: ${microscope.log}`, { cause: error })
    })
    scope.move()
    return new Stage(under, microscope, viewer, captureArguments)
  }

  /** Ends the microscope's process like a power cut. */
  killMicroscope(): Promise<void> {
    return this.microscope.kill()
  }

  /** Starts the same microscope again. */
  async restartMicroscope(): Promise<void> {
    this.microscope = Microscope.start(await this.under.invite('microscope', { member: 'scope' }), this.#captureArguments)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.viewer[Symbol.asyncDispose]()
    await this.microscope[Symbol.asyncDispose]()
    await this.under[Symbol.asyncDispose]()
  }
}
