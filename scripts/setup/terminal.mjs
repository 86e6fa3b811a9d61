const QUIET_INTERVAL_MILLIS = 15_000
const isTerminal = process.stdout.isTTY === true

/** A reason to stop that the person at the terminal can act on: shown as one line, without a stack. */
export class SetupFailure extends Error {}

/**
 * Prints one line.
 *
 * @param {string} line
 */
export function say(line) {
  console.log(`setup: ${line}`)
}

/**
 * Prints the line that says why the setup stops, in place of an unfinished line of progress.
 *
 * @param {string} line
 */
export function complain(line) {
  if (isTerminal) process.stdout.write('\r\x1b[K')
  console.error(`setup: ${line}`)
}

/**
 * Announces work that takes a while. On a terminal its line is rewritten as the work goes on;
 * in a log a line is added at most every 15 seconds.
 *
 * @param {string} label
 */
export function begin(label) {
  const started = Date.now()
  const seconds = () => `${Math.round((Date.now() - started) / 1000)} s`
  let spokeAt = started
  if (isTerminal) process.stdout.write(`setup: ${label} …`)
  else say(`${label} …`)

  return {
    /** @param {string} state - How far the work is, such as `43 %`. */
    progress(state) {
      if (isTerminal) {
        process.stdout.write(`\r\x1b[Ksetup: ${label}: ${state} (${seconds()})`)
      } else if (Date.now() - spokeAt >= QUIET_INTERVAL_MILLIS) {
        spokeAt = Date.now()
        say(`${label}: ${state} (${seconds()})`)
      }
    },
    /** @param {string} [result] */
    end(result = 'done') {
      if (isTerminal) process.stdout.write('\r\x1b[K')
      say(`${label}: ${result} (${seconds()})`)
    },
  }
}
