import { setTimeout as sleep } from 'node:timers/promises'

const limitMs = 120_000

/** How many payments a member has decided since it began. @param url its HTTP address. */
export async function decided(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const lines = text.split('\n').filter((line) => line.startsWith('weir_transactions_total{'))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

export const isReady = async (url: string): Promise<boolean> => (await fetch(`${url}/readyz`)).ok

/** @throws Error when it does not hold within two minutes. An error of `holds` is a no. */
export async function until(holds: () => Promise<boolean>, everyMs = 100): Promise<void> {
  for (const end = Date.now() + limitMs; !(await holds().catch(() => false)); await sleep(everyMs)) {
    if (Date.now() > end) throw new Error('weir did not get ready in time')
  }
}
