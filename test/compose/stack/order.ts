/** The order in which services start: each once what it depends on is as far as the compose file wants it. */
import type { Condition, Project, Service } from './compose-file.ts';
import type { Container } from './container.ts';
import { becomeHealthy, lastOf } from './health.ts';

export interface Order {
  /** Resolves when it, and before it all that it depends on, is healthy or has completed. */
  reach(name: string): Promise<void>;
  /** Starts it whatever else runs, and waits until it is healthy. */
  renew(name: string): Promise<void>;
}

export interface OrderOptions {
  project: Project;
  /** Starts all containers of a service. */
  start(name: string, service: Service): Promise<readonly Container[]>;
  /** Told of `edge-1 started`, `edge-1 healthy`, `topics completed`. */
  onProgress(what: string): void;
}

/** A service that runs to its end is not started again, and nobody asks how it is. */
export function isOneShot({ restart, healthcheck }: Service): boolean {
  return restart === 'no' && (healthcheck?.disable ?? true);
}

export function createOrder({ project, start, onProgress }: OrderOptions): Order {
  const reached = new Map<string, { started: Promise<void>; settled: Promise<void> }>();

  const bringUp = (name: string, service: Service) => {
    const dependencies = Object.entries(service.depends_on ?? {});
    const containers = Promise.all(dependencies.map(([other, { condition }]) => reachAs(other, condition))).then(
      async () => {
        const started = await start(name, service);
        onProgress(`${name} started`);
        return started;
      },
    );
    const settled = containers.then(async (all) => {
      await Promise.all(all.map((container) => settle(service, container)));
      onProgress(`${name} ${isOneShot(service) ? 'completed' : 'healthy'}`);
    });
    const started = containers.then(() => {});
    // Whoever waits for it is told; nobody may.
    for (const promise of [started, settled]) promise.catch(() => {});
    return { started, settled };
  };
  const find = (name: string) => {
    const service = project.services[name];
    if (!service) throw new Error(`The compose file has no service ${name}`);
    const known = reached.get(name) ?? bringUp(name, service);
    reached.set(name, known);
    return { service, ...known };
  };
  const renew = async (name: string): Promise<void> => {
    const { service } = find(name);
    const started = await start(name, service);
    await Promise.all(started.map((container) => settle(service, container)));
  };
  const reachAs = async (name: string, condition: Condition): Promise<void> => {
    const { service, started, settled } = find(name);
    if (condition === 'service_started') return started;
    const end: Condition = isOneShot(service) ? 'service_completed_successfully' : 'service_healthy';
    if (condition !== end) throw new Error(`${name} can never be ${condition}`);
    return settled;
  };
  return { reach: (name) => find(name).settled, renew };
}

async function settle(service: Service, container: Container): Promise<void> {
  const { name } = container.plan;
  if (!isOneShot(service)) {
    if (!service.healthcheck) throw new Error(`${name} has no health check`);
    return becomeHealthy(container, service.healthcheck);
  }
  const code = await container.ended;
  if (code !== 0) throw new Error(`${name} has ended with ${code}; it printed:\n${lastOf(container)}`);
}
