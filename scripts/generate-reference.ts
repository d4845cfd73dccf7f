/** Writes the files that follow from the configuration schema and the HTTP routes: `npm run reference`. */
import { writeFileSync } from 'node:fs'
import { renderExample, renderReference } from '../src/config/render.ts'
import { renderOpenApi } from '../src/http/openapi.ts'

writeFileSync(new URL('../config/weir.yaml', import.meta.url), renderExample())
writeFileSync(new URL('../docs/reference/configuration.md', import.meta.url), renderReference())
writeFileSync(new URL('../docs/openapi.json', import.meta.url), await renderOpenApi())
