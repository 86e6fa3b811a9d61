import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { deliveredRate, offeredRate } from './acceptance-measurement.ts'
import { isOverloaded } from './line-limit.ts'
import type { LoadDirection, PathMeasurement, StepResult } from './acceptance-measurement.ts'
import type { SayAcceptance } from './acceptance-words.ts'

const WIDTH = 340
const HEIGHT = 190
/** Told apart in print without colour as well: the second is dashed. */
const COLOURS: Readonly<Record<LoadDirection, string>> = { out: '#0b5394', in: '#b45f06' }
const MEGA = 1e6
/** Bursts that are drawn, the longest first: a page with thousands is no better. */
const MOST_DOTS = 500
const STYLE = { fontFamily: 'inherit', fontSize: '11px', background: 'none' } as const

interface Point {
  readonly direction: LoadDirection
  readonly x: number
  readonly y: number
}

/** Draws without a browser. */
class Drawing {
  readonly #document = parseHTML('<!doctype html><html><body></body></html>').document

  draw(options: Plot.PlotOptions): string {
    const figure = Plot.plot({ document: this.#document, width: WIDTH, height: HEIGHT, marginLeft: 44, style: STYLE, ...options })
    // Without a namespace an image viewer does not know what it is.
    figure.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
    return figure.outerHTML
  }
}

/** The plots of a path, as SVG. */
export interface AcceptancePlots {
  readonly rate: string
  readonly queue: string
  readonly roundTrip: string
  /** Undefined when nothing was lost by the line itself. */
  readonly bursts: string | undefined
  /** Undefined without a stability run. */
  readonly time: string | undefined
}

/** Plots what was measured of a path. */
export function drawPlots({ steps, stability }: PathMeasurement, say: SayAcceptance): AcceptancePlots {
  const drawing = new Drawing()
  const pyramid = steps.filter(({ shape }) => shape === 'pyramid')
  const points = (yOf: (step: StepResult) => number | undefined): Point[] =>
    pyramid.flatMap(step => {
      const y = yOf(step)
      return y === undefined ? [] : [{ direction: step.direction, x: offeredRate(step) / MEGA, y }]
    })
  const rates = points(step => deliveredRate(step) / MEGA)
  const most = Math.max(1, ...rates.map(({ x }) => x))
  return {
    rate: drawing.draw({
      x: { label: say('axisOffered'), domain: [0, most], grid: true }, y: { label: say('axisDelivered'), domain: [0, most], grid: true },
      marks: [Plot.line([[0, 0], [most, most]], { stroke: '#999', strokeDasharray: '2,3' }), ...series(rates)],
    }),
    queue: overRate(drawing, points(step => step.queue?.p95), say),
    roundTrip: overRate(drawing, points(step => step.roundTrip?.p95), say),
    bursts: drawBursts(drawing, steps, say),
    time: drawTime(drawing, stability, say),
  }
}

function overRate(drawing: Drawing, points: readonly Point[], say: SayAcceptance): string {
  const most = Math.max(10, ...points.map(({ y }) => y))
  return drawing.draw({ x: { label: say('axisOffered'), grid: true }, y: { label: say('axisMillis'), domain: [0, most], grid: true }, marks: series(points) })
}

function drawBursts(drawing: Drawing, steps: readonly StepResult[], say: SayAcceptance): string | undefined {
  const all = steps.filter(step => !isOverloaded(step, steps)).flatMap(({ direction, reception }) => reception.lossRuns.map(({ millis, packets }): Point => ({ direction, x: Math.max(0.1, millis), y: packets })))
  if (all.length === 0) return undefined
  const runs = all.toSorted((a, b) => b.x - a.x).slice(0, MOST_DOTS)
  return drawing.draw({
    x: { label: say('axisBurst'), type: 'log', grid: true, domain: [0.1, largest(runs, 'x')], ticks: 4, tickFormat: '~g' },
    y: { label: say('axisPackets'), type: 'log', grid: true, domain: [1, largest(runs, 'y')], ticks: 3, tickFormat: '~g' },
    marks: [Plot.dot(runs, { x: 'x', y: 'y', r: 2.5, stroke: ({ direction }: Point) => COLOURS[direction], strokeOpacity: 0.6 })],
  })
}

/** At least 100. */
const largest = (points: readonly Point[], axis: 'x' | 'y'): number => points.reduce((most, point) => Math.max(most, point[axis]), 100)

function drawTime(drawing: Drawing, windows: readonly StepResult[], say: SayAcceptance): string | undefined {
  if (windows.length === 0) return undefined
  const points = windows.map((step, index): Point => ({ direction: step.direction, x: index, y: step.queue?.p95 ?? 0 }))
  return drawing.draw({ x: { label: null }, y: { label: say('axisMillis'), grid: true, domain: [0, Math.max(10, ...points.map(({ y }) => y))] }, marks: series(points) })
}

function series(points: readonly Point[]): Plot.Markish[] {
  return (['out', 'in'] as const).flatMap(direction => {
    const own = points.filter(point => point.direction === direction)
    const dashes = direction === 'in' ? { strokeDasharray: '5,3' } : {}
    return [Plot.line(own, { x: 'x', y: 'y', stroke: COLOURS[direction], ...dashes }), Plot.dot(own, { x: 'x', y: 'y', r: 2.5, fill: COLOURS[direction] })]
  })
}

/** The key to all plots, as HTML. */
export const plotKey = (say: SayAcceptance): string => `<p class="key"><span style="color:${COLOURS.out}">━━ ${say('out')}</span> <span style="color:${COLOURS.in}">╍╍ ${say('in')}</span></p>`
