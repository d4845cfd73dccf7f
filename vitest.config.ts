import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real brokers and stores on small machines: a test says what it waits for, this only ends a hung one.
    testTimeout: 120_000,
    hookTimeout: 240_000,
  },
})
