import { access, constants } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { RelayFault } from '../../relay/wire/fault.ts'

/** The programs that sources and encoders need. */
export interface FfmpegBinaries {
  readonly ffmpeg: string
  /** Needed to look at files only. */
  readonly ffprobe: string | undefined
}

/** Paths given by the person who runs this. */
export interface FfmpegOverrides {
  readonly ffmpeg?: string | undefined
  readonly ffprobe?: string | undefined
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return true
  } catch {
    // Not there, or not for us: either way it is no candidate.
    return false
  }
}

async function firstExecutable(candidates: readonly (string | undefined)[]): Promise<string | undefined> {
  for (const candidate of candidates) {
    if (candidate !== undefined && (await isExecutable(candidate))) return candidate
  }
  return undefined
}

/** The binary that the npm package downloaded when it was installed; it is an optional dependency. */
function bundledFfmpeg(): string | undefined {
  try {
    const path: unknown = createRequire(import.meta.url)('ffmpeg-static')
    return typeof path === 'string' ? path : undefined
  } catch {
    // The package was dropped because its download failed.
    return undefined
  }
}

const onPath = (name: string, path: string | undefined): readonly string[] =>
  (path ?? '').split(delimiter).filter(directory => directory !== '').map(directory => join(directory, name))

/**
 * Finds ffmpeg: the one that was asked for, else the one of `ffmpeg-static`, else the system's.
 *
 * @throws {RelayFault} `bad_config` when there is none.
 */
export async function findFfmpeg(overrides: FfmpegOverrides, searchPath = process.env['PATH']): Promise<FfmpegBinaries> {
  const { ffmpeg: wanted, ffprobe: wantedProbe } = overrides
  const candidates = wanted === undefined ? [bundledFfmpeg(), ...onPath('ffmpeg', searchPath)] : [wanted, ...onPath(wanted, searchPath)]
  const ffmpeg = await firstExecutable(candidates)
  if (ffmpeg === undefined) {
    throw new RelayFault('bad_config', wanted === undefined ? 'no ffmpeg found: install it or set KENKYO_FFMPEG' : 'KENKYO_FFMPEG names no program that can be run')
  }
  const ffprobe = await firstExecutable([wantedProbe, join(dirname(ffmpeg), 'ffprobe'), ...onPath('ffprobe', searchPath)])
  return { ffmpeg, ffprobe }
}
