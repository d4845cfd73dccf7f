#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// What earlier starts have compiled: without it, half of a start is spent on that. NODE_COMPILE_CACHE names another
// folder, NODE_DISABLE_COMPILE_CACHE=1 does without; one that cannot be written is only read.
enableCompileCache(join(import.meta.dirname, '../.cache/compiled'))
const { run } = await import('./cli/program.ts')

process.exitCode = await run(process.argv.slice(2))
