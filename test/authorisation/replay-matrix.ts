/** `npm run matrix`: asks a running node every cell of the authorisation matrix, and holds its answers against the oracle. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { OperatorTokens } from '../../relay/access/operator-token.ts'
import { AccessPolicy } from '../../relay/access/policy/access-policy.ts'
import { matrixCells } from '../../relay/access/policy/matrix.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { DecisionAnswers, MAX_QUESTIONS } from '../../relay/wire/decision.ts'
import { NodeConfig } from '../../sfu/config.ts'
import { loadInvitationKey } from '../../sfu/invitation-key.ts'
import { KenkyoNode } from '../../sfu/node.ts'
import { findFreePorts } from '../../bench/free-ports.ts'
import { MATRIX_MARKS, matrixText } from './matrix-table.ts'
import { oracleAllows } from './oracle.ts'
import type { AccessFacts } from '../../relay/wire/access.ts'

const TIMEOUT_MILLIS = 30_000

/** One cell that a node answers otherwise than the oracle. */
interface WrongCell {
  readonly facts: AccessFacts
  readonly isAllowed: boolean
}

/** @returns The cells that the node at `url` decides otherwise than the oracle. @throws {Error} when it does not answer. */
export async function replayMatrix(url: string, token: string, cells: readonly AccessFacts[] = matrixCells()): Promise<WrongCell[]> {
  const wrong: WrongCell[] = []
  for (let from = 0; from < cells.length; from += MAX_QUESTIONS) {
    const questions = cells.slice(from, from + MAX_QUESTIONS)
    const response = await fetch(new URL('/access/decide', url), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ questions }),
      signal: AbortSignal.timeout(TIMEOUT_MILLIS),
    })
    if (!response.ok) throw new Error(`the node answered with status ${response.status}`)
    const { decisions } = DecisionAnswers.parse(await response.json())
    if (decisions.length !== questions.length) throw new Error('the node did not answer every question')
    questions.forEach((facts, index) => {
      const isAllowed = decisions[index]?.isAllowed === true
      if (isAllowed !== oracleAllows(facts)) wrong.push({ facts, isAllowed })
    })
  }
  return wrong
}

async function withOwnNode(policiesDir: string | undefined, replay: (url: string, stateDir: string) => Promise<void>): Promise<void> {
  const stateDir = await mkdtemp(join(tmpdir(), 'kenkyo-matrix-'))
  try {
    const [listenPort, rtcBasePort] = [await findFreePorts(1), await findFreePorts(1)]
    const config = NodeConfig.parse({ stateDir, listenPort, rtcBasePort, workers: 1, links: false, slides: false, policiesDir })
    await using node = await KenkyoNode.open(config, createLogger({ level: 'error', program: 'node' }))
    await replay(node.origin, stateDir)
  } finally {
    await rm(stateDir, { recursive: true, force: true })
  }
}

async function report(url: string, stateDir: string): Promise<void> {
  const tokens = await OperatorTokens.open(await loadInvitationKey(stateDir))
  const cells = matrixCells()
  const wrong = await replayMatrix(url, await tokens.issue(), cells)
  for (const { facts, isAllowed } of wrong) {
    process.stdout.write(`${facts.role} ${facts.action}, consent ${facts.consent}, link ${facts.link}: ${isAllowed ? 'allowed' : 'refused'}, and should not be\n`)
  }
  process.stdout.write(`${cells.length} cells, ${wrong.length} wrong\n`)
  if (wrong.length > 0) process.exitCode = 1
}

if (import.meta.main) {
  await new Command('matrix')
    .description('Ask a node every cell of the authorisation matrix. Without --url it starts one of its own.')
    .option('--url <url>', 'origin of a running node')
    .option('--state-dir <path>', "that node's state folder: its key signs the operator's token")
    .option('--policies-dir <path>', "policies of the node that is started, instead of the program's own")
    .option('--table', 'print the generated part of docs/AUTHORISATION.md instead')
    .action(async ({ url, stateDir, policiesDir, table }: { url?: string; stateDir?: string; policiesDir?: string; table?: boolean }) => {
      if (table === true) {
        const policy = await AccessPolicy.read(policiesDir)
        process.stdout.write(`${MATRIX_MARKS.begin}\n\n${matrixText(facts => policy.decide(facts).isAllowed)}\n${MATRIX_MARKS.end}\n`)
      } else if (url === undefined) await withOwnNode(policiesDir, report)
      else await report(url, stateDir ?? NodeConfig.parse({}).stateDir)
    })
    .parseAsync()
}
