/** What some keys do. */
export interface KeyLine {
  readonly keys: readonly string[]
  readonly does: string
}

const KEY = /^(?:\S|Escape|Enter|Backspace|Shift\+F)$/

/** Reads a line of help, such as "+ − zoom · 0 whole field": keys come first, and are one sign each or have a name. */
export function keyLines(help: string): readonly KeyLine[] {
  return help.split(' · ').map(line => {
    const words = line.split(' ')
    const first = words.findIndex(word => !KEY.test(word))
    return { keys: words.slice(0, first), does: words.slice(first).join(' ') }
  })
}
