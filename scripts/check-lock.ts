/**
 * Says which platform packages package-lock.json names as an optional dependency but does not hold. `npm install`
 * writes such a file without a word where a registry lacks them, and `npm ci` then fails on other machines.
 */
import { readFileSync } from 'node:fs'

interface Lock {
  readonly packages: Readonly<Record<string, { readonly optionalDependencies?: Record<string, string> }>>
}

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock
const held = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)))
const missing = Object.entries(packages).flatMap(([path, { optionalDependencies }]) =>
  Object.entries(optionalDependencies ?? {})
    .filter(([name]) => !held.has(name))
    .map(([name, version]) => `${name}@${version}, which ${path || 'this project'} wants`),
)

if (missing.length > 0) {
  console.error(
    `package-lock.json lacks ${missing.length} packages; npm ci would fail where they are needed:`,
  )
  for (const line of missing) console.error(`  ${line}`)
  console.error('Take a version of the wanting package whose platform packages the registry has all.')
  process.exitCode = 1
}
