/** A thread that verifies one log and says what came of it. */
import { parentPort, workerData } from 'node:worker_threads'
import { verifyLog } from './verify-log.ts'

/** What the thread is told. */
export interface VerifyOrder {
  readonly directory: string
  readonly publicKeyPem: string
}

/** What it says. */
export interface VerifyResult {
  readonly events: number
  readonly findings: number
  readonly root: string | null
}

const { directory, publicKeyPem } = workerData as VerifyOrder
const { events, findings, head } = verifyLog(directory, publicKeyPem)
parentPort?.postMessage({ events, findings: findings.length, root: head?.root ?? null } satisfies VerifyResult)
