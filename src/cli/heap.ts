import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Of what is young; V8 would go up to 128 MiB. */
const mostYoung = 32 * 1024 * 1024

/**
 * For a command that holds little for long and makes much that is short-lived: V8 would let garbage grow to several
 * times of what is held before it looks.
 *
 * @returns to be called now and then: V8 grows and shrinks the space of what is young as it goes.
 */
export function boundHeap(): () => void {
  setFlagsFromString('--heap-growing-percent=25')
  // What is made before the first call may all stay, and would widen it to its most at once.
  setFlagsFromString('--semi-space-growth-factor=1')
  return () => {
    const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')
    const mayGrow = (young?.space_size ?? 0) < mostYoung
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`)
  }
}
