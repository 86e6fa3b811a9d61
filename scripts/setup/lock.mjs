import { once } from 'node:events'
import { mkdirSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { cache } from './places.mjs'
import { say } from './terminal.mjs'

/**
 * Waits until no other setup works on the same cache, so that two of them neither install at once
 * nor compile the same worker twice. Held until this process ends, however it ends.
 *
 * The lock is the name of an abstract socket, which the kernel frees with its process: no stale
 * lock file can be left behind.
 */
export async function holdLock() {
  mkdirSync(cache, { recursive: true })
  const { dev, ino } = statSync(cache)
  for (let attempt = 0; ; attempt++) {
    const server = createServer().listen(`\0kenkyo-setup-${dev}-${ino}`)
    try {
      await once(server, 'listening')
      server.unref()
      return
    } catch (error) {
      // Anything else means that this system has no abstract sockets; two setups are then left to luck.
      if (error.code !== 'EADDRINUSE') return
    }
    if (attempt === 0) say('another setup is running; waiting for it to end')
    await sleep(500)
  }
}
