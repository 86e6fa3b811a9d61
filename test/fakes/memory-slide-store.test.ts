import { t } from 'tap'
import { slideStoreContract } from '../contract/slide-store.ts'
import { MemorySlideStore } from './memory-slide-store.ts'

slideStoreContract(t, 'in memory', async (_t, quotaBytes) => new MemorySlideStore({ quotaBytes }))
