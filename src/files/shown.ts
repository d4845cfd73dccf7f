import { holdsPan } from '../core/pan.ts'

const mostCharacters = 80

/**
 * Text from a file, as a message may show it: a card number is withheld, characters that a terminal would obey are
 * escaped, and what is long is cut.
 *
 * @param most characters.
 */
export function shown(text: string, most = mostCharacters): string {
  if (holdsPan(text)) return '(withheld: it looks like a card number)'
  return visible(text.length > most ? `${text.slice(0, most)}...` : text)
}

/** Characters that a terminal would obey are escaped. */
export const visible = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escaped)

const escaped = (character: string): string =>
  `\\u${(character.codePointAt(0) as number).toString(16).padStart(4, '0')}`

const mostNames = 40

/** Names of columns, with commas between. */
export function shownNames(names: readonly string[]): string {
  const first = names
    .slice(0, mostNames)
    .map((name) => shown(name))
    .join(', ')
  return names.length > mostNames ? `${first} and ${names.length - mostNames} more` : first
}
