import { isNode, parseDocument } from 'yaml'
import type { PolicyFile } from '../core/policy.ts'

/**
 * The text of a policy file with other thresholds; every other byte, comments included, stays as it is. A file that
 * has its thresholds from the one that it `extends` gets its own.
 */
export function withThresholds(text: string, thresholds: PolicyFile['thresholds']): string {
  const document = parseDocument(text)
  if (!document.has('thresholds')) {
    const { challenge, review, decline } = thresholds
    return `${text.trimEnd()}\n\nthresholds: { challenge: ${challenge}, review: ${review}, decline: ${decline} }\n`
  }
  const places = Object.entries(thresholds).flatMap(([outcome, value]) => {
    const node = document.getIn(['thresholds', outcome], true)
    return isNode(node) && node.range ? [{ from: node.range[0], to: node.range[1], value }] : []
  })
  // From the end, so that the places before stay where they are.
  return places
    .sort((a, b) => b.from - a.from)
    .reduce((done, { from, to, value }) => done.slice(0, from) + value + done.slice(to), text)
}
