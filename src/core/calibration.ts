/**
 * A monotone map given by points and drawn with straight lines between them: calibration (raw score to
 * probability) and the score map (probability to risk score) are both such maps, so they need no code of their own.
 */
export interface Knots {
  /** Strictly increasing, at least two. */
  readonly x: readonly number[]
  /** Never decreasing, as many as `x`. */
  readonly y: readonly number[]
}

/**
 * The map's value at `value`; outside the knots that of the nearest end. The order of operations is fixed
 * (y0 + (v - x0) * (y1 - y0) / (x1 - x0) in float64), so training and serving agree to the last bit.
 */
export function interpolate({ x, y }: Knots, value: number): number {
  const last = x.length - 1
  if (value <= (x[0] as number)) return y[0] as number
  if (value >= (x[last] as number)) return y[last] as number
  let low = 0
  let high = last
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((x[middle] as number) <= value) low = middle
    else high = middle
  }
  const [x0, x1] = [x[low] as number, x[high] as number]
  const [y0, y1] = [y[low] as number, y[high] as number]
  return y0 + ((value - x0) * (y1 - y0)) / (x1 - x0)
}
