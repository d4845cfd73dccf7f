import { Document, isMap, isNode, isScalar, parseDocument, type YAMLMap } from 'yaml'
import type { CutOffs, Segment, Thresholds } from '../core/thresholds.ts'

/**
 * The text of a policy file with other cut-offs; every other byte, comments included, stays as it is. A file that has
 * them from the one that it `extends` gets its own. Segments are replaced as a whole: where none are given, none stay.
 */
export const withCutOffs = (text: string, { thresholds, segments = [] }: CutOffs): string =>
  withSegments(withThresholds(text, thresholds), segments)

function withThresholds(text: string, thresholds: Thresholds): string {
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

function withSegments(text: string, segments: readonly Segment[]): string {
  const document = parseDocument(text)
  const { items } = document.contents as YAMLMap
  const pair = items.find(({ key }) => isScalar(key) && key.value === 'segments')
  // The file that this one extends may have some: an empty list of its own stands in for them.
  if (segments.length === 0 && pair === undefined && !document.has('extends')) return text
  const written = inLines(segments)
  if (pair === undefined) return `${text.trimEnd()}\n\n${written}`
  const from = isNode(pair.key) ? (pair.key.range?.[0] ?? 0) : 0
  const to = isNode(pair.value) ? (pair.value.range?.[2] ?? from) : from
  return text.slice(0, from) + written + text.slice(to)
}

/** A line each. */
function inLines(segments: readonly Segment[]): string {
  const document = new Document({ segments })
  for (const segment of (document.get('segments') as YAMLMap).items) if (isMap(segment)) segment.flow = true
  return document.toString({ lineWidth: 0 })
}
