/** Writes the generated part of `docs/PKITS.md` anew: `node test/pkits/publish-pkits.ts`. */
import { readFile, writeFile } from 'node:fs/promises'
import { runPkits } from './pkits-suite.ts'
import { PKITS_MARKS, pkitsText } from './pkits-table.ts'

const path = new URL('../../docs/PKITS.md', import.meta.url)
const document = await readFile(path, 'utf8')
const { begin, end } = PKITS_MARKS
const [from, to] = [document.indexOf(begin) + begin.length, document.indexOf(end)]
await writeFile(path, `${document.slice(0, from)}\n${pkitsText(await runPkits())}\n${document.slice(to)}`)
