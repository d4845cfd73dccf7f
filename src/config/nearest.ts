/**
 * Edits (insertion, deletion, substitution, swap of neighbours) that turn one text into the other.
 * Optimal string alignment, the restricted form of Damerau, CACM 7 (1964) 171-176: no part is edited twice.
 */
export function editDistance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = at(previous, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let least = Math.min(at(previous, j) + 1, at(current, j - 1) + 1, substituted)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, at(before, j - 2) + 1)
      }
      current.push(least)
    }
    before = previous
    previous = current
  }
  return at(previous, b.length)
}

const at = (row: readonly number[], index: number): number => row[index] ?? Number.POSITIVE_INFINITY

/**
 * The dotted path that was most likely meant, or undefined when none is near: a third of the letters may
 * differ, and a setting named without its section (`brokers`) is recognised.
 */
export function nearestPath(given: string, known: Iterable<string>): string | undefined {
  const last = given.slice(given.lastIndexOf('.') + 1)
  let best: { path: string; distance: number } | undefined
  for (const path of known) {
    const bare = editDistance(last, path.slice(path.lastIndexOf('.') + 1)) + 1
    const distance = Math.min(editDistance(given, path), bare)
    if (distance < (best?.distance ?? Number.POSITIVE_INFINITY)) best = { path, distance }
  }
  return best !== undefined && best.distance <= Math.max(2, last.length / 3) ? best.path : undefined
}
