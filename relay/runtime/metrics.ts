import { collectDefaultMetrics, Registry } from 'prom-client'

/** Gauges of prom-client's defaults whose names end as only a counter's may. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

/** A fresh Prometheus registry with the process's own figures in it. There is no global one. */
export function createRegistry(): Registry {
  const register = new Registry()
  collectDefaultMetrics({ register })
  for (const name of MISNAMED) register.removeSingleMetric(name)
  return register
}
