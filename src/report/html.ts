/** Text that is HTML already. */
export interface Html {
  readonly html: string
}

type Part = Html | string | number | readonly Html[]

/** A template of HTML: whatever is put in is escaped, but for other HTML. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const text = strings.reduce((done, string, i) => done + textOf(parts[i - 1] ?? '') + string)
  return { html: text }
}

export const none: Html = { html: '' }

function textOf(part: Part): string {
  if (typeof part === 'string' || typeof part === 'number') return escaped(String(part))
  return 'html' in part ? part.html : part.map((one) => one.html).join('')
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (sign) => entities[sign] as string)

/**
 * @param rows cells of each; the first names its row.
 * @param align of the cells: numbers end at the right, words begin at the left.
 */
export function tableOf(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly Part[])[],
  align: 'numbers' | 'words' = 'numbers',
): Html {
  const line = ([first, ...others]: readonly Part[]) =>
    html`<tr><th scope="row">${first ?? ''}</th>${others.map((cell) => html`<td>${cell}</td>`)}</tr>\n`
  return html`<div class="wide"><table class="${align}">
<caption>${caption}</caption>
<thead><tr>${head.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead>
<tbody>
${rows.map(line)}</tbody></table></div>
`
}
