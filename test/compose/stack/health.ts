/** A service's health check, as an engine makes it: the same command, limits and patience, asked more often. */
import { durationMs, type HealthCheck } from './compose-file.ts';
import type { Container } from './container.ts';

/** Docker's own, where the file says nothing. */
const byDefault = { interval: '30s', timeout: '30s', start_period: '0s', retries: 3 };
const pauseMs = 500;

/** The end of what a container printed: what went wrong stands there. */
export function lastOf(container: Container): string {
  return container.output().slice(-3_000);
}

/** One check; what it printed, where it failed. */
export async function check(container: Container, { test, timeout }: HealthCheck): Promise<string | undefined> {
  const [kind, ...words] = test;
  if (kind !== 'CMD' && kind !== 'CMD-SHELL') throw new Error(`${container.plan.name} has no health check: ${test}`);
  const command = kind === 'CMD' ? words : ['/bin/sh', '-c', ...words];
  const { code, output } = await container.execute(command, { msMax: durationMs(timeout ?? byDefault.timeout) });
  return code === 0 ? undefined : `exit code ${code}: ${output}`;
}

/**
 * Until the first check that succeeds.
 * @throws when the process has ended, or when an engine would call it unhealthy
 */
export async function becomeHealthy(container: Container, healthCheck: HealthCheck): Promise<void> {
  const { interval, start_period, retries } = { ...byDefault, ...healthCheck };
  const msMax = durationMs(start_period) + retries * durationMs(interval);
  const began = performance.now();
  const { name } = container.plan;
  let ended: number | undefined;
  container.ended.then((code) => {
    ended = code;
  });
  for (;;) {
    const failure = await check(container, healthCheck);
    if (failure === undefined) return;
    if (ended !== undefined) throw new Error(`${name} has ended with ${ended}; it printed:\n${lastOf(container)}`);
    if (performance.now() - began > msMax) {
      throw new Error(`${name} is not healthy: ${failure}\nIt printed:\n${lastOf(container)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
