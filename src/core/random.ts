/**
 * Random numbers that are the same on every machine: only integer operations, +, -, * and /, whose results
 * IEEE 754 and ECMAScript fix to the last bit. ECMAScript leaves Math.log, Math.exp, Math.pow and Math.sqrt to the
 * engine, so they are not used.
 */
export class Random {
  #a: number
  #b: number
  #c: number
  #d: number

  /**
   * xoshiro128** of Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47(4), 2021.
   *
   * @param seed any integer; its low 32 bits count.
   * @param stream keeps draws for one purpose apart from all others, so that one can change without the others.
   */
  constructor(seed: number, stream: number) {
    const next = splitMix(seed ^ Math.imul(stream, 0x9e3779b1))
    this.#a = next()
    this.#b = next()
    this.#c = next()
    this.#d = next() | 1 // never all zero
  }

  /** Uniform in [0, 1), a multiple of 2^-32. */
  unit(): number {
    const m = Math.imul(this.#b, 5)
    const result = Math.imul((m << 7) | (m >>> 25), 9) >>> 0
    const t = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= t
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result / 4294967296
  }

  chance(probability: number): boolean {
    return this.unit() < probability
  }

  /** Integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.unit() * n)
  }

  /** Integer in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T
  }

  /** As `pick`, but the first are far more popular: the rank's density falls with the square root of the rank. */
  pickPopular<T>(from: readonly T[]): T {
    const u = this.unit()
    return from[Math.floor(u * u * from.length)] as T
  }

  /** Index drawn in proportion to the weights. */
  weighted(weights: readonly number[]): number {
    let total = 0
    for (const weight of weights) total += weight
    let rest = this.unit() * total
    for (let i = 0; i < weights.length; i++) {
      rest -= weights[i] as number
      if (rest < 0) return i
    }
    return weights.length - 1
  }

  /** Near-normal with mean 0, variance 1 and tails that end at 3.46: the Irwin-Hall sum of four uniforms. */
  normal(): number {
    return (this.unit() + this.unit() + this.unit() + this.unit() - 2) * sqrt3
  }

  logNormal(median: number, sigma: number): number {
    return median * exponential(sigma * this.normal())
  }

  /** Waiting time by von Neumann's comparison method (1951), which needs no logarithm. */
  waiting(mean: number): number {
    for (let whole = 0; ; whole++) {
      const first = this.unit()
      let last = first
      let drawn = 1
      for (;;) {
        const next = this.unit()
        drawn++
        if (next > last) break
        last = next
      }
      if (drawn % 2 === 0) return mean * (whole + first)
    }
  }

  /** A short token of letters and digits; its separator letter keeps digits from looking like a card number. */
  token(prefix: string): string {
    // V8 would keep a sum of texts as its parts, at four times the memory: worlds hold thousands of these.
    return [prefix, '-', tail(this.unit()), 'k', tail(this.unit())].join('')
  }
}

const sqrt3 = 1.7320508075688772

const tail = (unit: number) => (unit * 4294967296).toString(36)

/** SplitMix32, the usual way to fill a larger state from a small seed. */
function splitMix(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = state ^ (state >>> 16)
    z = Math.imul(z, 0x21f0aaad)
    z ^= z >>> 15
    z = Math.imul(z, 0x735a2d97)
    return z ^ (z >>> 15)
  }
}

/** e^x for |x| < 10 to about ten digits: a short Taylor series of x / 1024, squared ten times. */
function exponential(x: number): number {
  const y = x / 1024
  let result = 1 + y * (1 + (y / 2) * (1 + (y / 3) * (1 + y / 4)))
  for (let i = 0; i < 10; i++) result *= result
  return result
}
