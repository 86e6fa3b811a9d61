import { chromium } from 'playwright-core'
import { RelayFault } from '../relay/wire/fault.ts'
import type { CapturedPixels, Inspection, KenkyoHandle } from '../clients/viewer/inspect.ts'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'

/** As root and without a GPU: software WebGL, no calls home, video without a click. */
const CHROMIUM_ARGUMENTS = [
  '--no-sandbox',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--enable-unsafe-swiftshader',
  '--use-angle=swiftshader',
  '--autoplay-policy=no-user-gesture-required',
]

/** How a viewer's window is. */
export interface ViewerWindow {
  /** In CSS pixels. */
  readonly width: number
  readonly height: number
  /** Device pixels per CSS pixel. */
  readonly deviceScaleFactor?: number
  readonly locale?: string
}

/** Which Chromium is started, where it is not the usual one. */
export interface ChromiumLaunch {
  /** A program, or a script that becomes it somewhere else. */
  readonly executablePath?: string
  /** On top of the usual ones. */
  readonly args?: readonly string[]
  /** What the window is, besides its size: client certificates, for one. */
  readonly context?: BrowserContextOptions
}

/** Pixels read back from the viewer's canvas, and what was on it. */
export interface CanvasPixels extends Omit<CapturedPixels, 'data'> {
  /** RGBA, rows from the top. */
  readonly data: Uint8Array
}

type ViewerGlobal = typeof globalThis & { readonly kenkyo: KenkyoHandle }

/** Where Debian puts it; `KENKYO_CHROMIUM` overrides. */
export const chromiumPath = (): string => process.env['KENKYO_CHROMIUM'] ?? '/usr/bin/chromium'

/** Without what is long and says little: reports of failures are cut off somewhere. */
const abridge = ({ drawLog, tileTimings, ...rest }: Inspection): object => ({ ...rest, lastDrawn: drawLog.at(-1), instantsDrawn: drawLog.length, tileTimings: tileTimings.length })

/** A viewer in a real Chromium of its own. */
export class BrowserViewer implements AsyncDisposable {
  readonly page: Page
  /** Errors that the page threw and nobody caught. */
  readonly pageErrors: string[] = []
  readonly #browser: Browser

  private constructor(browser: Browser, page: Page) {
    this.#browser = browser
    this.page = page
    page.on('pageerror', error => this.pageErrors.push(error.message))
  }

  /**
   * Opens the link and waits until the viewer can be asked.
   *
   * @throws {RelayFault} `unavailable` when there is no Chromium.
   */
  static async open(link: string, { width, height, deviceScaleFactor = 1, locale = 'en-US' }: ViewerWindow, launch: ChromiumLaunch = {}): Promise<BrowserViewer> {
    const { executablePath = chromiumPath(), args = [], context = {} } = launch
    // Whoever opened it closes it; playwright's own handling of signals would end this process before other scopes.
    const own = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false }
    const browser = await chromium.launch({ executablePath, headless: true, args: [...CHROMIUM_ARGUMENTS, ...args], ...own }).catch((cause: unknown) => {
      throw new RelayFault('unavailable', `Chromium does not start from ${executablePath}`, { cause })
    })
    const page = await browser.newPage({ viewport: { width, height }, deviceScaleFactor, locale, ...context })
    const viewer = new BrowserViewer(browser, page)
    await page.goto(link)
    await page.waitForFunction(() => 'kenkyo' in globalThis)
    return viewer
  }

  /** What the viewer says of itself. */
  inspect(): Promise<Inspection> {
    return this.page.evaluate(() => (globalThis as ViewerGlobal).kenkyo.inspect())
  }

  /** Puts an image point at the centre of the canvas, at so many device pixels per image pixel. */
  view(to: { x: number; y: number; scale: number }): Promise<void> {
    return this.page.evaluate(target => (globalThis as ViewerGlobal).kenkyo.view(target), to)
  }

  /** Shows the whole field. */
  fit(): Promise<void> {
    return this.page.evaluate(() => (globalThis as ViewerGlobal).kenkyo.fit())
  }

  /** Shows the pyramid, or the one whole stream. */
  mode(mode: 'pyramid' | 'whole'): Promise<void> {
    return this.page.evaluate(wanted => (globalThis as ViewerGlobal).kenkyo.mode(wanted), mode)
  }

  /** Reads back a part of the canvas, in canvas pixels. */
  async capturePixels(area: { x: number; y: number; width: number; height: number }): Promise<CanvasPixels> {
    const { data, ...rest } = await this.page.evaluate(wanted => (globalThis as ViewerGlobal).kenkyo.capturePixels(wanted), area)
    return { ...rest, data: Buffer.from(data, 'base64') }
  }

  /**
   * Polls `inspect()` until it satisfies `predicate`.
   *
   * @throws {RelayFault} `timeout` with the last inspection in it.
   */
  async until(what: string, predicate: (inspection: Inspection) => boolean, timeoutSeconds = 20): Promise<Inspection> {
    const deadline = performance.now() + timeoutSeconds * 1000
    for (;;) {
      const inspection = await this.inspect()
      if (predicate(inspection)) return inspection
      if (performance.now() > deadline) throw new RelayFault('timeout', `${what}: not in ${timeoutSeconds} s; at ${Date.now()} ${JSON.stringify(abridge(inspection))}`)
      await new Promise(resolve => setTimeout(resolve, 25))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close()
  }
}
