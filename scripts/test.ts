// Runs the tests with tap, prints a line per file and what failed and why, and closes with one line
// for machines: `N passed, N failed`. A test is a `t.test` on the first level of its file; one that is
// skipped or still to do counts as neither.
//
// Arguments go to tap: files or folders to run instead of all, or options.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { inspect } from 'node:util'
import { Parser } from 'tap-parser'
import type { Result } from 'tap-parser'

const root = join(import.meta.dirname, '..')

/** What tap adds to a failure that explains nothing: how it started the file, all its sockets, `stack` once more. */
const IRRELEVANT = new Set(['at', 'stdio', 'cwd', 'externalID', 'command', 'args', 'jobId', 'handles', 'requests'])

/** How many tests ended how. */
interface Tally {
  passed: number
  failed: number
}

/**
 * Follows the TAP of all files as it comes, printing what a person should see of it.
 *
 * @returns The tally, complete when the parser is.
 */
function report(parser: Parser): Tally {
  const total: Tally = { passed: 0, failed: 0 }
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
  return total
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

/** tap takes every file of a folder for a test; here a folder means the tests in it. */
function testsIn(argument: string): string {
  const isFolder = statSync(join(root, argument), { throwIfNoEntry: false })?.isDirectory() === true
  return isFolder ? join(argument, '**/*.test.ts') : argument
}

const tap = join(root, 'node_modules/tap/dist/esm/run.mjs')
const child = spawn(process.execPath, [tap, '--reporter=tap', ...process.argv.slice(2).map(testsIn)], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
  env: { ...process.env, PATH: [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter) },
})
// Ctrl-C reaches tap as well, which then ends the tests and says which were running.
process.on('SIGINT', () => undefined)
const parser = new Parser()
const tally = report(parser)
const [[code]] = (await Promise.all([once(child, 'close'), once(child.stdout.pipe(parser), 'complete')])) as [[number | null], unknown]
const isGreen = code === 0 && tally.failed === 0
console.log(`${tally.passed} passed, ${isGreen ? 0 : Math.max(1, tally.failed)} failed`)
process.exitCode = isGreen ? 0 : code || 1
