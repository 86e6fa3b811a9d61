import type { ComponentChildren, JSX } from 'preact'

/** A column: what stands above it, and its share of the width. */
export interface Column {
  readonly head: string
  readonly share: number
}

/** A table whose columns keep their places whatever is in them. */
export function Table({ caption, columns, children, none }: { readonly caption: string; readonly columns: readonly Column[]; readonly children: readonly JSX.Element[]; readonly none: string }): JSX.Element {
  const whole = columns.reduce((sum, { share }) => sum + share, 0)
  return (
    <table>
      <caption>{caption}</caption>
      <colgroup>
        {columns.map(({ head, share }) => (
          <col key={head} style={{ width: `${(100 * share) / whole}%` }} />
        ))}
      </colgroup>
      <thead>
        <tr>
          {columns.map(({ head }) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {children}
        {children.length === 0 && (
          <tr>
            <td class="quiet" colSpan={columns.length}>
              {none}
            </td>
          </tr>
        )}
      </tbody>
    </table>
  )
}

/** A state in words and a shape: colours alone do not tell everybody apart. @see WCAG 2.2 success criterion 1.4.1 */
export function State({ level, children }: { readonly level: 'good' | 'warn' | 'bad' | 'quiet'; readonly children: ComponentChildren }): JSX.Element {
  return <span class={`state ${level}`}>{children}</span>
}
