import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // Real brokers and stores on small machines: a test says what it waits for, this only ends a hung one.
    testTimeout: 120_000,
    hookTimeout: 240_000,
    // Vitest leaves a core free, of two every other; most of these tests wait for brokers half of their time.
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'services',
          include: ['test/{contract,integration,e2e,story}/**/*.test.ts'],
          // Many minutes of Kafka's own tools, and of waiting for outages to end: asked for by name.
          exclude: process.env['WEIR_TEST_SLOW'] === '1' ? [] : ['test/integration/security-r*.test.ts'],
          globalSetup: 'test/helpers/services-setup.ts',
        },
      },
      // Need the Python of training/ or of bench/peers, and say so where there is none.
      { extends: true, test: { name: 'training', include: ['test/{training,bench}/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          testTimeout: 600_000,
          // They start and kill brokers, stores and members of their own: one after the other, after all else.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
