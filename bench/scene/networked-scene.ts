import { BrowserViewer } from '../chromium.ts'
import { effortFor, measureAccuracy } from '../lines/accuracy.ts'
import { EmulatedNetwork } from '../lines/emulated-network.ts'
import { LocalNode } from '../local-node.ts'
import type { ViewerWindow } from '../chromium.ts'
import type { LineProfile } from '../lines/profiles.ts'
import type { FigureSheet } from '../report.ts'
import type { ChildProgram } from '../processes.ts'

/** What a {@link NetworkedScene} is made of. */
export interface NetworkedSceneOptions {
  /** The microscope's line to the node. */
  readonly microscopeLine: LineProfile
  /** The viewer's line to the node; without one the browser is next to the node, and spares the emulator its traffic. */
  readonly viewerLine?: LineProfile | undefined
  /** Of `kenkyo capture`, the invitation aside. */
  readonly agentArguments: readonly string[]
  readonly window: ViewerWindow
  /** Gets how exactly the lines are emulated, measured before anything else is on them. */
  readonly sheet: FigureSheet
  /** Whether that is to be measured briefly. */
  readonly isQuick: boolean
  readonly signal: AbortSignal
}

const STATS_INTERVAL_SECONDS = 0.5
/** From opening the page to a first picture, on a machine that starts everything at once. */
const FIRST_PICTURE_SECONDS = 60

/** A microscope and a real browser, each behind an emulated line of its own to one node. */
export class NetworkedScene implements AsyncDisposable {
  readonly network: EmulatedNetwork
  readonly node: LocalNode
  readonly agent: ChildProgram
  readonly viewer: BrowserViewer
  readonly #scope: AsyncDisposableStack

  private constructor(network: EmulatedNetwork, node: LocalNode, agent: ChildProgram, viewer: BrowserViewer, scope: AsyncDisposableStack) {
    this.network = network
    this.node = node
    this.agent = agent
    this.viewer = viewer
    this.#scope = scope
  }

  /** Opens everything and waits for the first picture. @throws {RelayFault} when any of it does not come about. */
  static async open({ microscopeLine, viewerLine, agentArguments, window, sheet, isQuick, signal }: NetworkedSceneOptions): Promise<NetworkedScene> {
    await using scope = new AsyncDisposableStack()
    const network = scope.use(await EmulatedNetwork.open({ leaves: { microscope: microscopeLine, ...(viewerLine === undefined ? {} : { viewer: viewerLine }) }, signal }))
    const effort = effortFor({ isQuick })
    await measureAccuracy({ network, leaf: 'microscope', profile: microscopeLine, sheet, signal, effort })
    if (viewerLine !== undefined) await measureAccuracy({ network, leaf: 'viewer', profile: viewerLine, sheet, signal, effort })
    const node = scope.use(await LocalNode.open({ statsIntervalSeconds: STATS_INTERVAL_SECONDS, signal, network }))
    const agent = scope.use(await node.startAgent(agentArguments, signal))
    const viewer = scope.use(await BrowserViewer.open(await node.invite('viewer', 'viewer'), window, viewerLine === undefined ? node.browserPastLines() : await node.browserAt('viewer')))
    await viewer.until('the first picture', ({ shown }) => shown !== null, FIRST_PICTURE_SECONDS)
    return new NetworkedScene(network, node, agent, viewer, scope.move())
  }

  /** Rejects when any part dies; never resolves. */
  get failed(): Promise<never> {
    return Promise.race([this.network.failed, this.node.program.failed, this.agent.failed])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.disposeAsync()
  }
}
