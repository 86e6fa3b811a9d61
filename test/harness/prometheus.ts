import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePorts } from '../../bench/free-ports.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { ChildProcess } from 'node:child_process'

const POLL_MILLIS = 100

/** One series of an answer: its labels and its value. */
export interface PrometheusSample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [at: number, value: string]
}

/** An alert that is pending or fires. */
export interface PrometheusAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly state: 'pending' | 'firing'
}

/** A real Prometheus that scrapes one target every second, with its data in a folder of its own. */
export class PrometheusUnderTest implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #origin: string
  readonly #dir: string

  private constructor(process: ChildProcess, origin: string, dir: string) {
    this.#process = process
    this.#origin = origin
    this.#dir = dir
  }

  /**
   * @param target - Host and port that serves `/metrics`, scraped as the job `kenkyo`.
   * @param rules - Text of a rule file.
   * @param caFile - Certificate of a target that serves TLS.
   * @throws {RelayFault} `timeout` when it does not become ready.
   */
  static async open(target: string, rules: string, caFile?: string): Promise<PrometheusUnderTest> {
    const dir = await mkdtemp(join(tmpdir(), 'kenkyo-prometheus-'))
    const tls = caFile === undefined ? '' : `scheme: https, tls_config: { ca_file: '${caFile}' }, `
    const config = `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [rules.yml]
scrape_configs: [{ job_name: kenkyo, ${tls}static_configs: [{ targets: ['${target}'] }] }]
`
    await Promise.all([writeFile(join(dir, 'prometheus.yml'), config), writeFile(join(dir, 'rules.yml'), rules)])
    const address = `127.0.0.1:${await findFreePorts(1)}`
    const child = spawn('prometheus', [
      `--config.file=${join(dir, 'prometheus.yml')}`, `--storage.tsdb.path=${join(dir, 'data')}`, `--web.listen-address=${address}`, '--log.level=error',
    ], { stdio: ['ignore', 'ignore', 'inherit'] })
    const prometheus = new PrometheusUnderTest(child, `http://${address}`, dir)
    await prometheus.until('ready', 15, async () => {
      const response = await fetch(`http://${address}/-/ready`).catch(() => undefined)
      return response?.ok === true ? true : undefined
    })
    return prometheus
  }

  /** What an instant query answers now. @throws with Prometheus' own words when the query is wrong. */
  async query(expression: string): Promise<readonly PrometheusSample[]> {
    const answer = await this.#get(`query?query=${encodeURIComponent(expression)}`) as { result: PrometheusSample[] }
    return answer.result
  }

  /** Every alert that is pending or fires. */
  async alerts(): Promise<readonly PrometheusAlert[]> {
    return (await this.#get('alerts') as { alerts: PrometheusAlert[] }).alerts
  }

  /** Names and health of the rules. */
  async rules(): Promise<readonly { readonly name: string; readonly health: string; readonly lastError?: string }[]> {
    const { groups } = await this.#get('rules') as { groups: { rules: { name: string; health: string; lastError?: string }[] }[] }
    return groups.flatMap(group => group.rules)
  }

  /**
   * Asks again and again until there is an answer.
   *
   * @throws {RelayFault} `timeout`
   */
  async until<Answer>(what: string, timeoutSeconds: number, ask: () => Promise<Answer | undefined>): Promise<Answer> {
    const deadline = performance.now() + timeoutSeconds * 1000
    for (;;) {
      const answer = await ask()
      if (answer !== undefined) return answer
      if (performance.now() > deadline || this.#process.exitCode !== null) throw new RelayFault('timeout', `${what}: not in ${timeoutSeconds} s`)
      await new Promise(resolve => setTimeout(resolve, POLL_MILLIS))
    }
  }

  async #get(path: string): Promise<unknown> {
    const answer = await (await fetch(`${this.#origin}/api/v1/${path}`)).json() as { status: string; error?: string; data: unknown }
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error ?? ''}`)
    return answer.data
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      const ended = once(this.#process, 'exit')
      this.#process.kill('SIGKILL')
      await ended
    }
    await rm(this.#dir, { recursive: true, force: true })
  }
}
