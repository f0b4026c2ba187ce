/** The order in which services start: each once what it depends on is as far as the compose file wants it. */
import type { Condition, Project, Service } from './compose-file.ts';
import type { Container } from './container.ts';
import { becomeHealthy } from './health.ts';

export interface Order {
  /** Resolves when it, and before it all that it depends on, is healthy or has completed. */
  reach(name: string): Promise<void>;
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
  return restart === 'no' && !healthcheck;
}

export function createOrder({ project, start, onProgress }: OrderOptions): Order {
  const reached = new Map<string, Promise<void>>();

  const bringUp = async (name: string, service: Service): Promise<void> => {
    const dependencies = Object.entries(service.depends_on ?? {});
    await Promise.all(dependencies.map(([other, { condition }]) => reachAs(other, condition)));
    const started = await start(name, service);
    onProgress(`${name} started`);
    await Promise.all(started.map((container) => settle(service, container)));
    onProgress(`${name} ${isOneShot(service) ? 'completed' : 'healthy'}`);
  };
  const reach = (name: string): Promise<void> => {
    const service = project.services[name];
    if (!service) throw new Error(`The compose file has no service ${name}`);
    const known = reached.get(name) ?? bringUp(name, service);
    reached.set(name, known);
    return known;
  };
  const reachAs = async (name: string, condition: Condition): Promise<void> => {
    const end: Condition = isOneShot(project.services[name]!) ? 'service_completed_successfully' : 'service_healthy';
    if (condition !== end) throw new Error(`${name} is waited for as ${condition}, it should be ${end}`);
    await reach(name);
  };
  return { reach };
}

async function settle(service: Service, container: Container): Promise<void> {
  const { name } = container.plan;
  if (!isOneShot(service)) {
    if (!service.healthcheck) throw new Error(`${name} has no health check`);
    return becomeHealthy(container, service.healthcheck);
  }
  const code = await container.ended;
  if (code !== 0) throw new Error(`${name} has ended with ${code}; it printed:\n${container.output()}`);
}
