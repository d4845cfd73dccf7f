const empty = new Set(['meta', 'br'])
const tag = /<(\/?)([a-zA-Z][\w-]*)((?:\s+[\w:-]+(?:="[^"<]*")?)*)\s*(\/?)>/y

export interface Markup {
  /** What is not well-formed, in words. */
  readonly mistakes: readonly string[]
  /** Of the elements, in order. */
  readonly names: readonly string[]
}

/** Reads HTML as strictly as XML: every element is closed in its order, every attribute quoted, every < a tag. */
export function markupOf(html: string): Markup {
  const [mistakes, names, open]: [string[], string[], string[]] = [[], [], []]
  const body = html.replace(/^<!doctype html>\n/, '').replaceAll(/<style>[\s\S]*?<\/style>/g, '')
  if (body === html) mistakes.push('no doctype')
  for (let at = body.indexOf('<'); at >= 0; at = body.indexOf('<', at + 1)) {
    tag.lastIndex = at
    const [, closing, name = '', , selfClosed] = tag.exec(body) ?? []
    if (name === '') mistakes.push(`no tag: ${body.slice(at, at + 40)}`)
    else if (closing === '/') {
      const last = open.pop()
      if (last !== name) mistakes.push(`${last} is closed by ${name}`)
    } else {
      names.push(name)
      if (!empty.has(name) && selfClosed !== '/') open.push(name)
    }
  }
  if (open.length > 0) mistakes.push(`not closed: ${open.join(', ')}`)
  const loose = body.match(/&(?!(amp|lt|gt|quot|#39);)/)
  if (loose !== null) mistakes.push(`loose &: ${body.slice(loose.index, (loose.index ?? 0) + 40)}`)
  return { mistakes, names }
}
