import { readFileSync } from 'node:fs'
import { type Html, html, none } from './html.ts'

/** A whole document, with its style in it. */
export function page(title: string, body: Html): string {
  const style = readFileSync(new URL('report.css', import.meta.url), 'utf8')
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>
${{ html: style }}</style>
</head>
<body>
${body}</body>
</html>
`.html
}

/** A part of charts side by side. */
export const plots = (title: string, charts: readonly Html[]): Html => html`<section><h2>${title}</h2>
<div class="plots">
${charts}</div></section>
`

/** What a reader must know before trusting the figures. */
export const warningList = (warnings: readonly string[]): Html =>
  warnings.length === 0
    ? none
    : html`<ul class="warnings">${warnings.map((one) => html`<li>${one}</li>\n`)}</ul>`
