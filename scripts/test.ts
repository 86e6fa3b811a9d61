// Runs the tests with tap, prints a line per file and what failed and why, and closes with one line
// for machines: `N passed, N failed`. A test is a `t.test` on the first level of its file; one that is
// skipped or still to do counts as neither.
//
// Files that open a browser, drive live video, emulate lines or say so have the machine for themselves, one after the
// other. Before them the others run side by side, and those of them that say that they may run in pairs.
//
// Arguments are files or folders to run instead of all, and options for tap (`--name=value`).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { delimiter, join } from 'node:path'
import { inspect } from 'node:util'
import { Parser } from 'tap-parser'
import type { Result } from 'tap-parser'

const root = join(import.meta.dirname, '..')

/** The tests there are; as `include` in `.taprc`, for whoever runs tap itself. */
const ALL_TESTS = '{relay,sfu,clients,bench,test}/**/*.test.ts'
/**
 * A test that imports one of these is not to share the machine: it opens a browser, encodes live video or measures a
 * line. One that counts on being run in time without any of them says so in a comment of its own.
 */
const NEEDS_THE_MACHINE = /^import (?!type ).*\/(chromium|harness\/microscope|harness\/stage|emulated-network)\.ts'$|^\/\/ Has the machine for itself/m
/** What such a test says when it waits more than it computes, and counts on nothing being soon: another of its kind may run beside it. */
const MAY_RUN_IN_PAIRS = /^\/\/ May share the machine with one other/m
/** Tests that run side by side: most wait most of the time, and more of them than this starve each other's timers. */
const JOBS = Math.min(8, availableParallelism() + 1)
/** Compiled modules: every process of every test finds those of the one before. */
const COMPILE_CACHE = join(root, 'node_modules/.cache/compile')

/** What tap adds to a failure that explains nothing: how it started the file, all its sockets, `stack` once more. */
const IRRELEVANT = new Set(['at', 'stdio', 'cwd', 'externalID', 'command', 'args', 'jobId', 'handles', 'requests'])

/** How many tests ended how. */
interface Tally {
  passed: number
  failed: number
}

/** Follows the TAP of files as it comes, printing what a person should see of it, and adds to a tally, which is complete when the parser is. */
function report(parser: Parser, total: Tally): void {
  parser.on('extra', (text: string) => process.stdout.write(text))
  let inFile: Tally = { passed: 0, failed: 0 }
  let hasShownReason = false
  parser.on('child', (file: Parser) => {
    inFile = { passed: 0, failed: 0 }
    file.on('assert', (test: Result) => {
      if (test.ok && test.skip === false && test.todo === false) inFile.passed++
      if (isFailure(test)) inFile.failed++
    })
    const failures = showFailures(file, file.name)
    file.on('complete', () => (hasShownReason = failures.count > 0))
  })
  parser.on('assert', (file: Result) => {
    // A file can also fail outside of its tests: by not loading, not ending, or exiting badly.
    if (!file.ok && inFile.failed === 0) inFile.failed = 1
    if (!file.ok && !hasShownReason) showFailure(file.name, file)
    console.log(`${file.ok ? 'pass' : 'FAIL'} ${file.name} (${Math.round(file.time ?? 0)} ms)`)
    total.passed += inFile.passed
    total.failed += inFile.failed
    inFile = { passed: 0, failed: 0 }
    hasShownReason = false
  })
}

/** What a test has to say, which tap keeps apart from what it says itself. */
function isRemark(comment: string): boolean {
  return !/^# (Subtest: |time=)/.test(comment)
}

/**
 * Prints each failed assertion under a test, and the figures and remarks it gives.
 *
 * @returns A count of failures that grows as they come.
 */
function showFailures(test: Parser, path: string): { count: number } {
  const failures = { count: 0 }
  let inChild = { count: 0 }
  test.on('comment', (comment: string) => {
    if (isRemark(comment)) process.stdout.write(`  ${comment}`)
  })
  test.on('child', (child: Parser) => (inChild = showFailures(child, `${path} > ${child.name}`)))
  test.on('assert', (result: Result) => {
    // A test that failed because of what is in it repeats no reason of its own.
    if (isFailure(result) && inChild.count === 0) showFailure(`${path} > ${result.name}`, result)
    if (isFailure(result)) failures.count++
    inChild = { count: 0 }
  })
  return failures
}

function isFailure({ ok, skip, todo }: Result): boolean {
  return !ok && skip === false && todo === false
}

function showFailure(path: string, { diag }: Result): void {
  const details = Object.entries((diag ?? {}) as Record<string, unknown>)
    .filter(([key]) => !IRRELEVANT.has(key))
    .map(([key, value]) => {
      const text = typeof value === 'string' ? value.trimEnd() : inspect(value, { breakLength: Infinity })
      return `\n${key}: ${text.includes('\n') ? `\n${text}` : text}`
    })
  console.log(`not ok: ${path}${details.join('').replaceAll('\n', '\n    ')}`)
}

/** The tests that an argument names: tap would take every file of a folder for one. */
const testsIn = (path: string): string[] =>
  statSync(join(root, path), { throwIfNoEntry: false })?.isDirectory() === true ? globSync('**/*.test.ts', { cwd: join(root, path) }).map(file => join(path, file)) : [path]

/** Runs tests and adds to the tally. @returns tap's exit code; null when a signal ended it. */
async function run(tests: readonly string[], jobs: number, options: readonly string[], total: Tally): Promise<number | null> {
  const tap = join(root, 'node_modules/tap/dist/esm/run.mjs')
  const child = spawn(process.execPath, [tap, '--reporter=tap', `--jobs=${jobs}`, ...options, ...tests], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...process.env, PATH: [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter) },
  })
  const parser = new Parser()
  report(parser, total)
  const [[code]] = (await Promise.all([once(child, 'close'), once(child.stdout.pipe(parser), 'complete')])) as [[number | null], unknown]
  return code
}

const isOption = (argument: string): boolean => argument.startsWith('-')
const options = process.argv.slice(2).filter(isOption)
const named = process.argv.slice(2).filter(argument => !isOption(argument))
const tests = (named.length === 0 ? globSync(ALL_TESTS, { cwd: root }) : named.flatMap(testsIn)).sort()
const textOf = (test: string): string => (existsSync(join(root, test)) ? readFileSync(join(root, test), 'utf8') : '')
const groupOf = (test: string): 'beside' | 'pairs' | 'alone' => {
  const text = textOf(test)
  if (!NEEDS_THE_MACHINE.test(text)) return 'beside'
  return MAY_RUN_IN_PAIRS.test(text) ? 'pairs' : 'alone'
}
const groups = { beside: [], pairs: [], alone: [], ...Object.groupBy(tests, groupOf) }
const total: Tally = { passed: 0, failed: 0 }
const codes: (number | null)[] = []
// Ctrl-C reaches tap as well, which then ends the tests and says which were running.
const interruption = new AbortController()
process.on('SIGINT', () => interruption.abort())
for (const [jobs, group] of [[JOBS, groups.beside], [2, groups.pairs], [1, groups.alone]] as const) {
  if (group.length > 0 && !interruption.signal.aborted) codes.push(await run(group, jobs, options, total))
}
// Nothing that was run is not green.
const code = codes.length === 0 ? 1 : codes.find(each => each !== 0)
const isGreen = code === undefined && total.failed === 0 && !interruption.signal.aborted
console.log(`${total.passed} passed, ${isGreen ? 0 : Math.max(1, total.failed)} failed`)
process.exitCode = isGreen ? 0 : code || 1
