/** Writes the files that follow from the configuration schema: `npm run reference`. */
import { writeFileSync } from 'node:fs'
import { renderExample, renderReference } from '../src/config/render.ts'

writeFileSync(new URL('../config/weir.yaml', import.meta.url), renderExample())
writeFileSync(new URL('../docs/reference/configuration.md', import.meta.url), renderReference())
