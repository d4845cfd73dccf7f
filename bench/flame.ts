import { CustomChart } from 'echarts/charts'
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'

use([CustomChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer])

/** A function and what it called, with the time spent in all of it. */
export interface Frame {
  readonly name: string
  readonly layer: string
  readonly time: number
  readonly calls: readonly Frame[]
}

/** Where a frame is drawn: times from the left, rows from the bottom. */
interface Placed {
  readonly frame: Frame
  readonly from: number
  readonly row: number
}

/** Share of the whole; what is narrower is left out. */
const leastShare = 0.003
const [width, rowHeight, above, below, side] = [1_180, 17, 70, 30, 12] as const
const mostRows = 30
/** Narrower ones have no name. Pixels. */
const leastNamed = 34
const others = 'others'
const colours = ['#7aa6c2', '#e0a458', '#8fb996', '#c97b84', '#b8a1cf', '#d9c76b', '#9aa5b1', '#a3c9c7']
const text = { fontFamily: 'sans-serif', color: '#222' }

/**
 * A flame graph (B. Gregg, 2011) as an SVG on its own: a frame lies on the one that called it, as wide as the time that
 * went into it and all that it called; from left to right there is no order in time.
 *
 * @param layers in the order of the legend; frames of others are grey.
 */
export function flameOf(title: string, roots: readonly Frame[], layers: readonly string[]): string {
  const total = roots.reduce((sum, { time }) => sum + time, 0)
  const placed: Placed[] = []
  place(roots, 0, 0, total * leastShare, placed)
  const height = (Math.max(0, ...placed.map(({ row }) => row)) + 1) * rowHeight + above + below
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height })
  try {
    chart.setOption({
      animation: false,
      backgroundColor: '#fff',
      title: { text: title, left: side, top: 8, textStyle: { ...text, fontSize: 15 } },
      legend: {
        top: 34,
        left: side,
        textStyle: { ...text, fontSize: 12 },
        itemHeight: 10,
        data: [...layers],
      },
      grid: { left: side, right: side, top: above, bottom: below },
      xAxis: { type: 'value', min: 0, max: total, show: false },
      yAxis: { type: 'value', min: 0, max: (height - above - below) / rowHeight, show: false },
      series: [...layers, others].map((layer) => {
        const own = placed.filter(
          ({ frame }) => (layers.includes(frame.layer) ? frame.layer : others) === layer,
        )
        return {
          type: 'custom',
          name: layer,
          itemStyle: { color: colours[layers.indexOf(layer)] ?? '#d3d3d3' },
          data: own.map(({ frame, from, row }) => [from, row, frame.time]),
          renderItem: drawn(own, (width - 2 * side) / total),
        }
      }),
    })
    return chart.renderToSVGString()
  } finally {
    chart.dispose()
  }
}

function place(frames: readonly Frame[], from: number, row: number, least: number, into: Placed[]): void {
  let at = from
  for (const frame of [...frames].sort((a, b) => b.time - a.time)) {
    if (frame.time < least || row === mostRows) return
    into.push({ frame, from: at, row })
    place(frame.calls, at, row + 1, least, into)
    at += frame.time
  }
}

/** What echarts hands over of an item, and how it is asked. */
interface Item {
  readonly dataIndex: number
}
interface Api {
  coord(at: readonly [x: number, y: number]): [number, number]
  visual(name: 'color'): string
}

/** @param scale pixels a unit of time. */
function drawn(own: readonly Placed[], scale: number) {
  return ({ dataIndex }: Item, api: Api) => {
    const { frame, from, row } = own[dataIndex] as Placed
    const [x, y] = api.coord([from, row + 1])
    const wide = frame.time * scale
    const name = {
      text: frame.name,
      width: wide - 6,
      overflow: 'truncate',
      ellipsis: '',
      fill: '#222',
      fontSize: 11,
    }
    return {
      type: 'rect',
      shape: { x, y, width: Math.max(1, wide - 0.5), height: rowHeight - 1 },
      style: { fill: api.visual('color') },
      ...(wide >= leastNamed && {
        textContent: { type: 'text', style: { ...name, fontFamily: text.fontFamily } },
        textConfig: { position: 'insideLeft', distance: 3 },
      }),
    }
  }
}
