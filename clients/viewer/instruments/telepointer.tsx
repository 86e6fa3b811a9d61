import type { JSX } from 'preact'
import type { MemberId } from '../../../relay/wire/ids.ts'
import type { MemberColour } from '../../../relay/wire/slide-sharing.ts'
import { cssColour } from '../slides/member-colours.ts'
import type { Point } from '../view/viewport.ts'

/** Where another member points, with name and colour. @param props.at - In CSS pixels of the svg around it. */
export function Telepointer({ memberId, colour, at: { x, y } }: { readonly memberId: MemberId; readonly colour: MemberColour; readonly at: Point }): JSX.Element {
  return (
    <g class="pointer" data-member={memberId} style={{ '--member': cssColour(colour) }} transform={`translate(${x.toFixed(1)} ${y.toFixed(1)})`}>
      <path d="M0 0L4 14L7 8.5L13 7z" />
      <text x="15" y="18">
        {memberId}
      </text>
    </g>
  )
}
