/** Points in (0, 1) and their weights. */
export interface Quadrature {
  readonly points: Float64Array
  readonly weights: Float64Array
}

/**
 * Gauss-Legendre quadrature on [0, 1]: the weighted sum over `n` points is the integral of every polynomial of degree
 * below 2n. (M. Abramowitz, I. Stegun: Handbook of mathematical functions, 1964, 25.4.29.)
 *
 * The points are the roots of the Legendre polynomial, each between two of the one before it. They are found by
 * halving, which needs no function that ECMAScript leaves to the engine: the same bits on every machine.
 */
export function gaussLegendre(n: number): Quadrature {
  let roots: number[] = []
  for (let degree = 1; degree <= n; degree++) {
    const bounds = [-1, ...roots, 1]
    roots = Array.from({ length: degree }, (_, i) =>
      rootBetween(degree, bounds[i] as number, bounds[i + 1] as number),
    )
  }
  return {
    points: Float64Array.from(roots, (x) => (1 + x) / 2),
    weights: Float64Array.from(roots, (x) => (1 - x * x) / (n * legendre(n - 1, x)) ** 2),
  }
}

/** The Legendre polynomial by its recurrence. */
function legendre(degree: number, x: number): number {
  let [before, value] = [0, 1]
  for (let k = 1; k <= degree; k++) {
    ;[before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k]
  }
  return value
}

function rootBetween(degree: number, from: number, to: number): number {
  let [low, high] = [from, to]
  const isPositiveAbove = legendre(degree, high) > 0
  for (;;) {
    const middle = (low + high) / 2
    if (middle <= low || middle >= high) return middle
    if (legendre(degree, middle) > 0 === isPositiveAbove) high = middle
    else low = middle
  }
}
