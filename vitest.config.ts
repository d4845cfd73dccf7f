import { defineConfig } from 'vitest/config'

const slow = process.env['WEIR_TEST_SLOW'] === '1'

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
          exclude: slow ? [] : ['test/integration/security-r*.test.ts'],
          globalSetup: 'test/helpers/services-setup.ts',
        },
      },
      // Needs the Python of training/, and says so where there is none.
      { extends: true, test: { name: 'training', include: ['test/training/**/*.test.ts'] } },
      // The peers of the bench, built with their own tools: asked for by name.
      { extends: true, test: { name: 'peers', include: slow ? ['test/bench/**/*.test.ts'] : [] } },
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
