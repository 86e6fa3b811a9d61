/** A screen, as the Window Management API describes it. @see W3C Window Management, `ScreenDetailed` */
export interface ScreenFacts {
  readonly width: number
  readonly height: number
  readonly devicePixelRatio: number
}

type ManagedWindow = typeof globalThis & {
  readonly screen: Screen & { readonly isExtended?: boolean }
  getScreenDetails?(): Promise<{ readonly screens: readonly ScreenFacts[]; readonly currentScreen: ScreenFacts }>
}

const pixels = ({ width, height, devicePixelRatio }: ScreenFacts): number => width * height * devicePixelRatio ** 2

/** The screen to fill: of those that the window is not on, the one with the most device pixels; undefined where there is no other. */
export function otherScreen<Facts extends ScreenFacts>(screens: readonly Facts[], current: Facts): Facts | undefined {
  const others = screens.filter(screen => screen !== current)
  return others.reduce<Facts | undefined>((best, screen) => (best === undefined || pixels(screen) > pixels(best) ? screen : best), undefined)
}

/** The other screen, where there is one and the person lets the page know of it. */
async function findOther(): Promise<ScreenFacts | undefined> {
  const host = globalThis as ManagedWindow
  if (host.getScreenDetails === undefined || host.screen.isExtended !== true) return undefined
  try {
    const { screens, currentScreen } = await host.getScreenDetails()
    return otherScreen(screens, currentScreen)
  } catch {
    // Not allowed: this screen will do.
    return undefined
  }
}

async function fill(isHere: boolean): Promise<void> {
  if (document.fullscreenElement !== null) return document.exitFullscreen()
  const screen = isHere ? undefined : await findOther()
  const options: FullscreenOptions & { readonly screen?: ScreenFacts } = screen === undefined ? {} : { screen }
  await document.documentElement.requestFullscreen(options)
}

/** Full screen and back: on another screen where there is one, else, or if `isHere`, on this one. */
export function toggleFullScreen({ isHere = false } = {}): void {
  // The browser may refuse; then nothing changes, which is visible.
  fill(isHere).catch(() => undefined)
}
