import { execFile } from 'node:child_process'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { promisify } from 'node:util'
import { findFfmpeg } from '../clients/capture/ffmpeg-binaries.ts'
import type { Host } from './report.ts'

const run = promisify(execFile)

async function ffmpegVersion(): Promise<string | null> {
  try {
    const { ffmpeg } = await findFfmpeg({ ffmpeg: process.env['KENKYO_FFMPEG'] })
    const { stdout } = await run(ffmpeg, ['-version'])
    return /^ffmpeg version (\S+)/.exec(stdout)?.[1] ?? null
  } catch {
    // Not every scenario needs one; the report then says that there is none.
    return null
  }
}

/** Describes this machine. */
export async function describeHost(): Promise<Host> {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    ffmpeg: await ffmpegVersion(),
  }
}

/** The commit of the working tree, with `-dirty` when something in it is not committed; `unknown` without git. */
export async function describeCommit(directory: string): Promise<string> {
  try {
    const { stdout: commit } = await run('git', ['rev-parse', 'HEAD'], { cwd: directory })
    const { stdout: changes } = await run('git', ['status', '--porcelain'], { cwd: directory })
    return `${commit.trim()}${changes.trim() === '' ? '' : '-dirty'}`
  } catch {
    // A copy without its history.
    return 'unknown'
  }
}
