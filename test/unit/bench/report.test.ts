import { expect, test } from 'vitest'
import { pictureOf } from '../../../bench/picture.ts'
import { type Result, type Results, resultsOf } from '../../../bench/report.ts'

const latency = { p50_ms: 10, p99_ms: 40, p99_9_ms: 60, max_ms: 70, payments: 1_000 }

function result(cpu: readonly number[], live: Result['latency']): Result {
  const turns = cpu.map((cpu_s_per_100k) => ({
    events_per_second: 1_000,
    cpu_s_per_100k,
    broker_cpu_s_per_100k: 1,
    redis_cpu_s_per_100k: 0.25,
    rss_mib: 100,
    batch: 2_000,
    compared: null,
  }))
  return { events: 1_000, turns, latency: live }
}

const results: Results = new Map([
  ['weir', result([3, 9, 4], new Map([[500, latency]]))],
  ['python', result([8, 16], new Map([[500, { ...latency, p99_ms: 160 }]]))],
  ['naive', result([40], new Map([[500, null]]))],
])

test('ratios are of medians, and of latency only where both kept up', () => {
  const { ratios, ratio, p99_ratios, contestants } = resultsOf(results)
  expect(ratios).toEqual({ python: 0.333, naive: 0.1 })
  expect(ratio).toBeNull()
  expect(p99_ratios).toEqual({ python: { 500: 0.25 }, naive: {} })
  expect(contestants['python']).toMatchObject({ state: 'unprotected', cpu_s_per_100k: 12, p99_9_ms: 60 })
  expect(contestants['naive']).toMatchObject({ p50_ms: null, p99_ms: null })
})

test('the picture is an SVG with every contestant and its sum', () => {
  const svg = pictureOf(results)
  expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/)
  for (const text of ['weir', 'python', 'naive', '5.3', '13.3', '41.3'])
    expect(svg).toContain(`>${text}</text>`)
})
