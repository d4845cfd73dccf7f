import { BarChart } from 'echarts/charts'
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { median } from './median.ts'
import type { Results } from './report.ts'

use([BarChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer])

const parties = [
  { name: 'application', of: 'cpu_s_per_100k', color: '#2f5d8a' },
  { name: 'broker', of: 'broker_cpu_s_per_100k', color: '#c98b2b' },
  { name: 'Redis', of: 'redis_cpu_s_per_100k', color: '#a23b3b' },
] as const

const size = { width: 760, barHeight: 44, around: 120 }
const text = { fontFamily: 'sans-serif', color: '#222', fontSize: 13 }

/** CPU seconds for 100,000 payments of each contestant, medians, as an SVG on its own. */
export function pictureOf(results: Results): string {
  // Bars are drawn from the bottom.
  const rows = [...results].reverse()
  const cpu = parties.map(({ of }) => rows.map(([, { turns }]) => median(turns.map((turn) => turn[of]))))
  const totals = rows.map((_, row) => cpu.reduce((sum, ofParty) => sum + (ofParty[row] as number), 0))
  const height = rows.length * size.barHeight + size.around
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: size.width, height })
  try {
    chart.setOption({
      animation: false,
      backgroundColor: '#fff',
      textStyle: text,
      title: {
        text: 'CPU seconds for 100,000 payments',
        left: 10,
        top: 8,
        textStyle: { ...text, fontSize: 15 },
      },
      legend: { top: 34, left: 10, textStyle: text, itemHeight: 10 },
      grid: { left: 110, right: 70, top: 66, bottom: 32 },
      xAxis: { type: 'value', axisLabel: text },
      yAxis: {
        type: 'category',
        data: rows.map(([name]) => name),
        axisLabel: text,
        axisTick: { show: false },
      },
      series: parties.map(({ name, color }, party) => ({
        type: 'bar',
        name,
        stack: 'cpu',
        itemStyle: { color },
        data: cpu[party],
        label: {
          show: party === parties.length - 1,
          position: 'right',
          ...text,
          formatter: ({ dataIndex }: { dataIndex: number }) => (totals[dataIndex] as number).toFixed(1),
        },
      })),
    })
    return chart.renderToSVGString()
  } finally {
    chart.dispose()
  }
}
