import type { MemberColour } from '../../../relay/wire/slide-sharing.ts'

/** Told apart by everybody, on pink slides and on a dark ground. @see Okabe and Ito, Color Universal Design (2008) */
const PALETTE = ['#e69f00', '#56b4e9', '#009e73', '#f0e442', '#0072b2', '#d55e00', '#cc79a7', '#b4b4b4'] as const

/** A member's colour, as CSS has it. */
export const cssColour = (colour: MemberColour): string => PALETTE[colour] ?? PALETTE[7]
