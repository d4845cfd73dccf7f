import type { Metric, Registry } from 'prom-client'

export interface HistogramOptions {
  readonly name: string
  readonly help: string
  readonly labelNames?: readonly string[]
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[]
  readonly registers: readonly Registry[]
}

type Labels = Readonly<Record<string, string>>

/** The values of one combination of labels. */
class Series {
  readonly labels: Labels
  /** Values by the first bucket that holds them; the last are beyond all. */
  readonly counts: number[]
  sum = 0
  readonly #buckets: readonly number[]

  constructor(labels: Labels, buckets: readonly number[]) {
    this.labels = labels
    this.#buckets = buckets
    this.counts = Array(buckets.length + 1).fill(0)
  }

  observe(value: number): void {
    const buckets = this.#buckets
    let at = 0
    while (at < buckets.length && !(value <= (buckets[at] as number))) at++
    this.counts[at] = (this.counts[at] as number) + 1
    this.sum += value
  }
}

/**
 * A histogram on a registry of prom-client, whose own looks its labels up and checks them again for every value: 0.4 us,
 * and two values a decision.
 */
export class Histogram {
  readonly name: string
  readonly labelNames: readonly string[]
  readonly #options: HistogramOptions
  readonly #series = new Map<string, Series>()

  constructor(options: HistogramOptions) {
    const { name, labelNames = [], registers } = options
    this.#options = options
    this.name = name
    this.labelNames = labelNames
    // Without labels it is told from the beginning, with zeroes.
    if (labelNames.length === 0) this.of()
    for (const registry of registers) registry.registerMetric(this as unknown as Metric<string>)
  }

  /** The series of these labels, which must be those of `labelNames`. */
  of(labels: Labels = {}): Pick<Series, 'observe'> {
    const key = this.labelNames.map((name) => labels[name]).join('\0')
    let series = this.#series.get(key)
    if (series === undefined) {
      series = new Series(labels, this.#options.buckets)
      this.#series.set(key, series)
    }
    return series
  }

  /** What a registry asks for at each scrape. */
  async get() {
    const { name, help } = this.#options
    const values = [...this.#series.values()].flatMap((series) => this.#valuesOf(series))
    return { name, help, type: 'histogram', aggregator: 'sum', values }
  }

  #valuesOf({ labels, counts, sum }: Series) {
    const { name, buckets } = this.#options
    let count = 0
    const cumulated = counts.map((more, i) => {
      count += more
      return { metricName: `${name}_bucket`, labels: { le: buckets[i] ?? '+Inf', ...labels }, value: count }
    })
    return [
      ...cumulated,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ]
  }
}
