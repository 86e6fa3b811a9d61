import { expectedRate } from '../picture/truth.ts'
import type { Viewer } from '../viewer.ts'
import type { QualityFacts } from './connection-quality.ts'

/** What a viewer knows that tells how good its connection is. */
export function qualityFacts(viewer: Viewer): QualityFacts {
  const [publication, drawn, traffic] = [viewer.publication.peek(), viewer.drawn.peek(), viewer.traffic.peek()]
  const expected = publication === null ? 0 : expectedRate(publication.source, publication.pyramid.framesPerSecond)
  // Before the first picture nothing is late, and nobody looks at what is covered or hidden.
  const isLooking = drawn !== null && drawn.instantDrawnAtMs !== null && !document.hidden && !viewer.plan.isCovered.peek()
  return {
    connection: viewer.connection.peek(),
    source: publication?.source,
    staleSeconds: isLooking ? viewer.currentTruth().staleSeconds : 0,
    withheld: viewer.plan.expectation.peek().withheld,
    lossRatio: traffic.lossRatio,
    roundTripSeconds: traffic.roundTripSeconds,
    mediaPath: traffic.mediaPath,
    relayCostMillis: viewer.relayCost.peek(),
    freezes: drawn?.freezes.count ?? 0,
    drawnFramesPerSecond: isLooking ? drawn.framesPerSecond : expected,
    expectedFramesPerSecond: expected,
  }
}
