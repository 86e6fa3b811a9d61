/** Pixels per glyph, before scaling. */
export const GLYPH_WIDTH = 5
export const GLYPH_HEIGHT = 7

/** Rows from the top, five bits each, the leftmost pixel in the highest bit. */
const GLYPHS: Readonly<Record<string, readonly number[]>> = {
  '0': [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
  '1': [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
  '2': [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111],
  '3': [0b11111, 0b00010, 0b00100, 0b00010, 0b00001, 0b10001, 0b01110],
  '4': [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
  '5': [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
  '6': [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
  '7': [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
  '8': [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
  '9': [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
  'C': [0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110],
  'R': [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001],
  '#': [0b01010, 0b01010, 0b11111, 0b01010, 0b11111, 0b01010, 0b01010],
}

/** Width of a text in unscaled pixels, with one pixel between glyphs. */
export const textWidth = (text: string): number => text.length * (GLYPH_WIDTH + 1) - 1

/** Calls `dot` for every unscaled pixel that is set; characters without a glyph are blank. */
export function drawText(text: string, dot: (x: number, y: number) => void): void {
  for (const [index, character] of Array.from(text).entries()) {
    for (const [y, row] of (GLYPHS[character] ?? []).entries()) {
      for (let x = 0; x < GLYPH_WIDTH; x++) {
        if (((row >> (GLYPH_WIDTH - 1 - x)) & 1) === 1) dot(index * (GLYPH_WIDTH + 1) + x, y)
      }
    }
  }
}
