import { collectDefaultMetrics, Registry } from 'prom-client'

/** A fresh Prometheus registry with the process's own figures in it. There is no global one. */
export function createRegistry(): Registry {
  const register = new Registry()
  collectDefaultMetrics({ register })
  return register
}
