import type { Rect } from '../view/viewport.ts'

/** A line between two points, in the units of the regions it was made from. */
export interface Edge {
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
}

/** The outer borders of regions of one grid: what two of them share is no border. */
export function outlineOf(regions: readonly Rect[]): readonly Edge[] {
  const edges = new Map<string, Edge>()
  for (const { x, y, width, height } of regions) {
    const [right, bottom] = [x + width, y + height]
    for (const edge of [
      { x1: x, y1: y, x2: right, y2: y },
      { x1: x, y1: bottom, x2: right, y2: bottom },
      { x1: x, y1: y, x2: x, y2: bottom },
      { x1: right, y1: y, x2: right, y2: bottom },
    ]) {
      const key = `${edge.x1} ${edge.y1} ${edge.x2} ${edge.y2}`
      if (!edges.delete(key)) edges.set(key, edge)
    }
  }
  return [...edges.values()]
}
