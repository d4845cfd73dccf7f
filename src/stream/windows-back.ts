/** Each window is so many times as long as the one before it. */
const growth = 4

/**
 * Ranges of offsets from the end of a partition towards `last`, each four times as long as the one that lies behind it:
 * what is near the end is found by reading little, what is far by reading not much more than lies behind it.
 *
 * @param length of the first, in offsets.
 */
export function* windowsBack(
  last: number,
  end: number,
  length: number,
): Generator<readonly [from: number, to: number]> {
  let size = length
  for (let to = end; to > last; size *= growth) {
    const from = Math.max(last, to - size)
    yield [from, to]
    to = from
  }
}
