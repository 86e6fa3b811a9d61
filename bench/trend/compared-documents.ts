import { z } from 'zod'
import { RelayFault } from '../../relay/wire/fault.ts'
import { AllDocument } from '../all/all-document.ts'
import { Report } from '../report.ts'

/** Reports to compare, by scenario, whether they come from one scenario's document or from a run of all. */
export type ReportSet = ReadonlyMap<string, Report>

const Document = z.union([AllDocument, Report])

/** @throws {RelayFault} `bad_config` for what is neither document. */
export function decodeReports(text: string): ReportSet {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new RelayFault('bad_config', 'that is not JSON', { cause })
  }
  const result = Document.safeParse(json)
  if (!result.success) throw new RelayFault('bad_config', 'that is no document of the bench', { cause: result.error })
  const reports = 'runs' in result.data ? result.data.runs.flatMap(({ report }) => report ?? []) : [result.data]
  return new Map(reports.map(report => [report.scenario, report]))
}
