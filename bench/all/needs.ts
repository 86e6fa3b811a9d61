import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromiumPath } from '../chromium.ts'

const VIEWER_PAGE = fileURLToPath(new URL('../../clients/viewer/dist/index.html', import.meta.url))

/** Programs that a scenario runs, by Debian's packages that have them. */
const PACKAGES = { ip: 'iproute2', ethtool: 'ethtool', ping: 'iputils-ping', iperf3: 'iperf3', tcpdump: 'tcpdump', cc: 'gcc' } as const
type Program = keyof typeof PACKAGES

/** What a scenario cannot be measured without. */
export type Need = 'root' | 'chromium' | 'viewer' | Program

/** Emulated lines. */
export const LINES: readonly Need[] = ['root', 'ip', 'ethtool']
/** Emulated lines that are measured before anything else is on them. */
export const MEASURED_LINES: readonly Need[] = [...LINES, 'ping', 'iperf3']
/** The viewer in real Chromium. */
export const BROWSER: readonly Need[] = ['chromium', 'viewer']

/** What this machine has. */
export interface Means {
  readonly isRoot: boolean
  readonly hasChromium: boolean
  readonly hasViewer: boolean
  readonly hasProgram: (name: string) => boolean
}

/** What this machine has, looked up anew each time. */
export const readMeans = (): Means => ({
  isRoot: process.platform === 'linux' && process.getuid?.() === 0,
  hasChromium: existsSync(chromiumPath()),
  hasViewer: existsSync(VIEWER_PAGE),
  hasProgram: name => (process.env['PATH'] ?? '').split(delimiter).some(folder => isExecutable(join(folder, name))),
})

/** Why a scenario cannot be measured here, in words; undefined when it can. */
export function lackOf(needs: readonly Need[], means: Means): string | undefined {
  const lacks = needs.flatMap(need => lackOfOne(need, means) ?? [])
  return lacks.length === 0 ? undefined : `needs ${lacks.join(', ')}`
}

function lackOfOne(need: Need, means: Means): string | undefined {
  switch (need) {
    case 'root':
      return means.isRoot ? undefined : 'Linux and root'
    case 'chromium':
      return means.hasChromium ? undefined : 'Chromium'
    case 'viewer':
      return means.hasViewer ? undefined : 'the built viewer (npm run build:viewer)'
    default:
      return means.hasProgram(need) ? undefined : `${need} (Debian package ${PACKAGES[need]})`
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
