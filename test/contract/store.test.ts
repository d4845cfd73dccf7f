import { createMemoryStore } from '../../src/adapters/memory-store.ts'
import { storeSuite } from './store-suite.ts'

storeSuite('the embedded store', async () => createMemoryStore())
