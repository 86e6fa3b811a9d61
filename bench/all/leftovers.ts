import { readdirSync, readFileSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { abandonedLinks, abandonedNamespaces, removeLink, removeNamespace } from '../lines/namespaces.ts'

/** In the environment of everything that a run starts; what it starts inherits it. */
export const RUN_VARIABLE = 'KENKYO_BENCH_RUN'

/** What a run may leave behind. */
export interface Traces {
  readonly processes: readonly { readonly pid: number; readonly command: string }[]
  /** Network namespaces whose process has ended. */
  readonly namespaces: readonly string[]
  /** Management links of no namespace. */
  readonly links: readonly string[]
  /** In the run's own folder for temporary files. */
  readonly files: readonly string[]
}

/** @param run - Value of {@link RUN_VARIABLE}. @param directory - Where everything that the run starts puts its temporary files. */
export async function findTraces(run: string, directory: string): Promise<Traces> {
  return { processes: processesOf(run, directory), namespaces: await abandonedNamespaces(), links: await abandonedLinks(), files: await readdir(directory) }
}

/** Ends and removes what was found, each by its own id or name. */
export async function removeTraces({ processes, namespaces, links, files }: Traces, directory: string): Promise<void> {
  for (const { pid } of processes) kill(pid)
  for (const name of namespaces) await removeNamespace(name)
  for (const name of links) await removeLink(name)
  for (const file of files) await rm(join(directory, file), { recursive: true, force: true })
}

/** Each trace in words. */
export const describeTraces = ({ processes, namespaces, links, files }: Traces): string[] => [
  ...processes.map(({ pid, command }) => `process ${pid} (${command})`),
  ...namespaces.map(name => `namespace ${name}`),
  ...links.map(name => `link ${name}`),
  ...files.map(name => `file ${name}`),
]

/** Those that have the run in their environment, or its folder among their arguments: Chromium's write over the former. */
function processesOf(run: string, directory: string): { pid: number; command: string }[] {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
  return pids.flatMap(pid => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      const isOurs = environment.includes(`${RUN_VARIABLE}=${run}`) || words.includes(directory)
      return isOurs ? [{ pid: Number(pid), command: readFileSync(`/proc/${pid}/comm`, 'utf8').trim() }] : []
    } catch {
      // It has ended meanwhile, or belongs to somebody else.
      return []
    }
  })
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
    return
  }
}
