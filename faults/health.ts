import { linearRegression, median } from 'simple-statistics'
import { residentMiB } from '../test/helpers/process-usage.ts'
import type { MemberProcess } from './member-process.ts'

/** What /readyz of a member says of one of the things that it needs. The member must log at level info. */
export async function readiness({ url }: Pick<MemberProcess, 'url'>, of: string): Promise<string> {
  const { checks } = (await (await fetch(`${url}/readyz`)).json()) as {
    checks: Record<string, { detail: string }>
  }
  return checks[of]?.detail ?? ''
}

/** What a member holds at one moment. */
interface Sample {
  /** Seconds since the first sample. */
  readonly at: number
  readonly residentMiB: number
  /** JavaScript objects in use, MiB; garbage that is not collected yet counts. */
  readonly heapMiB: number
  readonly descriptors: number
  readonly timers: number
}

export interface Watch {
  /** Ends the watch. */
  stop(): Promise<Health>
}

/** How what a member holds has developed, the first third left out: caches fill, code is compiled. */
export interface Health {
  readonly samples: number
  /** Median of the last third over the median of the second one. */
  readonly rss_ratio: number
  readonly rss_mib_last: number
  /**
   * Of the least in each 10th of the time, MiB an hour: the least is what garbage collection leaves. Absent below half
   * an hour, which says little about one.
   */
  readonly rss_slope_mib_per_hour?: number
  readonly heap_slope_mib_per_hour?: number
  /**
   * Median of the last third less that of the second one: what leaks stays, what a request under way needs comes and
   * goes.
   */
  readonly descriptors_gained: number
  readonly timers_gained: number
}

/** Looks at a member that serves metrics on `port`, every so many seconds. */
export function watchHealth(member: MemberProcess, port: number, everySeconds: number): Watch {
  const samples: Sample[] = []
  const begun = performance.now()
  const look = async () => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    const gauge = (name: string) => {
      const [, value] = new RegExp(`^${name} (\\S+)$`, 'm').exec(text) ?? []
      return Number(value)
    }
    samples.push({
      at: (performance.now() - begun) / 1_000,
      residentMiB: residentMiB(member.pid),
      heapMiB: gauge('nodejs_heap_size_used_bytes') / 2 ** 20,
      descriptors: gauge('process_open_fds'),
      timers: gauge('nodejs_active_resources\\{type="Timeout"\\}'),
    })
  }
  let looking = Promise.resolve()
  const timer = setInterval(() => {
    looking = look()
    looking.catch(() => {})
  }, everySeconds * 1_000)
  return {
    async stop() {
      clearInterval(timer)
      await looking
      return healthOf(samples)
    },
  }
}

function healthOf(samples: readonly Sample[]): Health {
  const third = Math.floor(samples.length / 3)
  const middle = samples.slice(third, 2 * third)
  const last = samples.slice(2 * third)
  const settled = [...middle, ...last]
  if (middle.length === 0) throw new Error(`${samples.length} looks at a member are too few to judge by`)
  const slope = (of: (sample: Sample) => number) => {
    const tenth = Math.max(1, Math.floor(settled.length / 10))
    const least: [number, number][] = []
    for (let from = 0; from + tenth <= settled.length; from += tenth) {
      const part = settled.slice(from, from + tenth)
      const lowest = part.reduce((a, b) => (of(b) < of(a) ? b : a))
      least.push([lowest.at, of(lowest)])
    }
    return least.length < 2 ? 0 : linearRegression(least).m * 3_600
  }
  const usual = (part: readonly Sample[], of: (sample: Sample) => number) => median(part.map(of))
  const gained = (of: (sample: Sample) => number) => usual(last, of) - usual(middle, of)
  const resident = ({ residentMiB }: Sample) => residentMiB
  const round = (value: number) => Math.round(value * 1_000) / 1_000
  return {
    samples: samples.length,
    rss_ratio: round(usual(last, resident) / usual(middle, resident)),
    rss_mib_last: round(usual(last, resident)),
    ...((last.at(-1)?.at ?? 0) >= 1_800 && {
      rss_slope_mib_per_hour: round(slope(resident)),
      heap_slope_mib_per_hour: round(slope(({ heapMiB }) => heapMiB)),
    }),
    descriptors_gained: gained(({ descriptors }) => descriptors),
    timers_gained: gained(({ timers }) => timers),
  }
}
