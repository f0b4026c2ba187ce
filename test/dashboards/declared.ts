/** The metrics that Hookwatch's processes expose, by their declarations in services/telemetry.ts. */
import * as telemetry from '../../services/telemetry.ts';

/** Of each part that a process may run, by name: what declares its metrics in a registry. */
export const metricGroups = Object.entries(telemetry).filter(([name]) => name.endsWith('Metrics')) as [
  name: string,
  declare: (registry: telemetry.Registry) => unknown,
][];

/** Of all parts together. */
export function declareAll(): telemetry.Registry {
  const registry = telemetry.createRegistry('test');
  for (const [, declare] of metricGroups) declare(registry);
  return registry;
}
