import { BarChart, LineChart } from 'echarts/charts'
import { GridComponent, LegendComponent, MarkLineComponent } from 'echarts/components'
import { type EChartsCoreOption, init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { type Html, html } from './html.ts'

use([BarChart, LineChart, GridComponent, LegendComponent, MarkLineComponent, SVGRenderer])

const size = { width: 440, height: 290 }

const text = { color: 'var(--ink-2)', fontFamily: 'inherit', fontSize: 12 }
const axis = {
  axisLabel: { ...text, hideOverlap: true },
  axisLine: { lineStyle: { color: 'var(--line-2)' } },
  axisTick: { lineStyle: { color: 'var(--line-2)' } },
  splitLine: { lineStyle: { color: 'var(--line)' } },
  nameLocation: 'middle',
  nameTextStyle: text,
}

export interface Axis {
  readonly name: string
  readonly type: 'value' | 'log' | 'category'
  readonly data?: readonly string[]
  readonly min?: number
  readonly max?: number
  readonly label?: (value: number) => string
}

/**
 * A chart as SVG with a caption. Colours are variables of the page, so that it is read on light and dark alike. Nothing
 * in it counts or depends on time: the same data give the same text.
 *
 * @param id unlike that of every other chart of the page.
 */
export function chart(
  id: string,
  caption: string,
  x: Axis,
  y: Axis,
  series: NonNullable<EChartsCoreOption['series']>,
): Html {
  const drawn = init(null, null, { renderer: 'svg', ssr: true, ...size })
  try {
    drawn.setOption({
      animation: false,
      legend: { top: 0, textStyle: text, itemHeight: 10, itemGap: 24, inactiveColor: 'var(--line)' },
      grid: { left: 62, right: 18, top: 34, bottom: 48 },
      xAxis: optionOf(x, { nameGap: 28, splitLine: { show: false } }),
      yAxis: optionOf(y, { nameGap: 46 }),
      series,
    })
    return html`<figure role="img" aria-label="${caption}">
${{ html: plain(drawn.renderToSVGString(), id) }}
<figcaption>${caption}</figcaption></figure>
`
  } finally {
    drawn.dispose()
  }
}

function optionOf({ label, ...given }: Axis, more: object): object {
  const { axisLabel } = axis
  return { ...axis, ...more, ...given, axisLabel: label ? { ...axisLabel, formatter: label } : axisLabel }
}

/** Without what a mouse would do, without namespaces (HTML needs none), and with ids that do not count charts. */
const plain = (svg: string, id: string): string =>
  svg
    .replaceAll(/<style[\s\S]*?<\/style>\n?/g, '')
    .replaceAll(/ (ecmeta_\w+|class|xmlns(:\w+)?|xml:space|version|baseProfile|pointer-events)="[^"]*"/g, '')
    .replaceAll(/zr\d+-c/g, `${id}-c`)
    .replace(/ width="\d+" height="\d+"/, '')
