import uPlot from 'uplot'
import { timeOfDay } from './figures.ts'

/** A line of a plot. */
export interface PlotLine {
  readonly label: string
  readonly color: string
  readonly dash?: readonly number[]
  readonly width?: number
}

/** What a plot shows. */
export interface PlotOptions {
  readonly title: string
  readonly lines: readonly PlotLine[]
  /** A value with its unit, for the legend. */
  readonly figure: (value: number | null) => string
  /** From the values of the plot to those of its axis. */
  readonly scale: number
  readonly unit: string
  /** The axis reaches at least this high, so that noise does not fill a plot. On the scale of the axis. */
  readonly atLeast: number
  /** What the time at the cursor is called. */
  readonly timeLabel: string
  /** Plots with the same key have one cursor. */
  readonly cursorKey: string
}

/** What a plot is given: columns by line, between two instants. All times in seconds since the epoch. */
export interface PlotData {
  readonly at: readonly number[]
  readonly columns: readonly (readonly (number | null)[])[]
  readonly from: number
  readonly to: number
  /** Instants at which something happened. */
  readonly marks: readonly number[]
}

const HEIGHT = 132
const GRID = { stroke: '#1b2025', width: 1 }
const TICKS = { stroke: '#2a3138', width: 1, size: 4 }
const AXIS = { stroke: '#75808a', font: '11px system-ui, sans-serif', grid: GRID, ticks: TICKS }
const MARK = 'rgb(201 162 102 / 45%)'
/** Seconds between the lines of the grid. */
const TIME_STEPS = [10, 20, 30, 60, 120, 300, 600]
const INSTANTS_PER_KEY = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 } as const

/** Times along an axis, with seconds where they are closer than a minute. @param splits - Seconds since the epoch. */
function axisTimes([first = 0, second = 0, ...rest]: readonly number[]): string[] {
  const length = second - first < 60 ? 8 : 5
  return [first, second, ...rest].map(split => timeOfDay(split * 1000).slice(0, length))
}

/** One small picture of a few series over the last minutes. */
export class Plot {
  readonly element: HTMLElement
  readonly #plot: uPlot
  readonly #options: PlotOptions
  #isVisible = false
  #pending: PlotData | undefined
  #marks: readonly number[] = []

  constructor(options: PlotOptions) {
    this.#options = options
    this.element = document.createElement('figure')
    this.element.className = 'plot'
    this.element.tabIndex = 0
    const caption = document.createElement('figcaption')
    caption.textContent = `${options.title}, ${options.unit}`
    this.element.append(caption)
    this.#plot = new uPlot(this.#uPlotOptions(), [[], ...options.lines.map(() => [])], this.element)
    this.element.addEventListener('keydown', event => this.#onKey(event))
    this.element.addEventListener('blur', () => this.#plot.setCursor({ left: -10, top: -10 }))
    new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0)
      if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT })
    }).observe(this.element)
    // What nobody can see is not drawn.
    new IntersectionObserver(([entry]) => {
      this.#isVisible = entry?.isIntersecting ?? true
      this.#draw()
    }).observe(this.element)
  }

  /** Shows this in place of what was shown. */
  show(data: PlotData): void {
    this.#pending = data
    this.element.setAttribute('aria-label', this.#description(data.columns))
    this.#draw()
  }

  #draw(): void {
    if (!this.#isVisible || this.#pending === undefined) return
    const { at, columns, from, to, marks } = this.#pending
    const { scale } = this.#options
    this.#pending = undefined
    this.#marks = marks.filter(mark => mark >= from && mark <= to)
    this.#plot.batch(() => {
      this.#plot.setData([[...at], ...columns.map(column => column.map(value => (value === null ? null : value * scale)))], false)
      this.#plot.setScale('x', { min: from, max: to })
    })
    if (this.#plot.cursor.idx === null || this.#plot.cursor.idx === undefined) this.#plot.setLegend({ idx: null } as unknown as { idx: number })
  }

  #drawMarks(): void {
    const { ctx, bbox } = this.#plot
    ctx.save()
    ctx.strokeStyle = MARK
    ctx.lineWidth = devicePixelRatio
    for (const mark of this.#marks) {
      const x = Math.round(this.#plot.valToPos(mark, 'x', true)) + 0.5
      ctx.beginPath()
      ctx.moveTo(x, bbox.top)
      ctx.lineTo(x, bbox.top + bbox.height)
      ctx.stroke()
    }
    ctx.restore()
  }

  /** The last figures, for who cannot see the picture. */
  #description(columns: readonly (readonly (number | null)[])[]): string {
    const { title, lines, figure } = this.#options
    return `${title}: ${lines.map(({ label }, index) => `${label} ${figure(columns[index]?.at(-1) ?? null)}`).join(', ')}`
  }

  #onKey(event: KeyboardEvent): void {
    if (!(event.key in INSTANTS_PER_KEY)) return
    event.preventDefault()
    const times = this.#plot.data[0]
    const index = (this.#plot.cursor.idx ?? times.length - 1) + INSTANTS_PER_KEY[event.key as keyof typeof INSTANTS_PER_KEY]
    const time = times[Math.max(0, Math.min(times.length - 1, index))]
    if (time !== undefined) this.#plot.setCursor({ left: this.#plot.valToPos(time, 'x'), top: 20 })
  }

  #uPlotOptions(): uPlot.Options {
    const { lines, figure, scale, atLeast, cursorKey, timeLabel } = this.#options
    // With no cursor the legend has the last value.
    const value = (plot: uPlot, raw: number | null, series: number, index: number | null): string => {
      const shown = index === null ? (plot.data[series] as (number | null)[]).at(-1) : raw
      return figure(shown === null || shown === undefined ? null : shown / scale)
    }
    return {
      width: 320, height: HEIGHT, padding: [8, 8, 0, 0],
      cursor: { sync: { key: cursorKey }, drag: { x: false, y: false }, points: { size: 5 }, y: false },
      legend: { live: true },
      hooks: { drawAxes: [() => this.#drawMarks()] },
      scales: { x: { time: true, auto: false }, y: { range: (_plot, _min, max: number | null) => [0, Math.max(atLeast, (max ?? 0) * 1.1)] } },
      axes: [
        { ...AXIS, size: 22, space: 52, incrs: TIME_STEPS, values: (_plot, splits) => axisTimes(splits) },
        { ...AXIS, size: 46, space: 28 },
      ],
      series: [
        { label: timeLabel, value: (plot, raw: number | null) => timeOfDay((raw ?? plot.data[0].at(-1) ?? 0) * 1000) },
        ...lines.map(({ label, color, dash, width = 1.25 }) => ({ label, stroke: color, width, ...(dash === undefined ? {} : { dash: [...dash] }), value, spanGaps: false, points: { show: false } })),
      ],
    }
  }
}
