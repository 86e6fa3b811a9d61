/** Makes an element with a class, text or children. Text is never read as HTML. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag, className = '', content: string | readonly Node[] = [],
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag)
  if (className !== '') made.className = className
  if (typeof content === 'string') made.textContent = content
  else made.append(...content)
  return made
}

/** Sets text only where it differs, so that nothing is laid out anew for nothing. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text
}
