/** A compose file's services, run as an engine would: networks, volumes, order, health checks, signals. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { durationMs, type Project, replicasOf, type Service } from './compose-file.ts';
import { type Container, type Execution, startContainer } from './container.ts';
import { type Host, startHost } from './host.ts';
import { type Image, makeBaseLayer } from './image.ts';
import { createNetworks, type Networks, planNetworks } from './networks.ts';
import { createOrder } from './order.ts';
import { planContainer } from './plan.ts';
import { makeStandIn } from './standins.ts';

export interface StackOptions {
  project: Project;
  /** Belongs to the stack and is removed with it. */
  folder: string;
  /** Makes, in a folder, the image of the services that are built from this repository. */
  makeOurImage(folder: string, baseLayer: string): Image;
  /** Variables that a stand-in needs beyond the compose file, read when it starts. */
  variablesOf?(service: string, stack: Stack): Record<string, string>;
}

export interface Stack {
  readonly host: Host;
  readonly project: Project;
  /** Containers that were started, by service. */
  readonly containers: ReadonlyMap<string, readonly Container[]>;
  /** What happened, in order: `edge-1 started`, `edge-1 healthy`, `topics completed`. */
  readonly history: readonly string[];
  /** Folder of a named volume on this machine. */
  volume(name: string): string;
  /** Starts services and what they depend on; resolves when all are healthy or have completed. */
  up(services: readonly string[]): Promise<void>;
  /** Ends a service's containers and starts others by what the compose file says now: `up --no-deps --wait`. */
  renew(service: string): Promise<void>;
  /** Runs a service once more, to its end, beside those that run: `docker compose run --rm`. */
  run(service: string, command?: readonly string[]): Promise<Execution>;
  /** SIGTERM to a service's containers: their exit codes, undefined for what takes longer than stop_grace_period. */
  stop(service: string): Promise<(number | undefined)[]>;
  /** Ends what still runs, at once, and removes all of it. */
  close(): Promise<void>;
}

type Start = (name: string, instance: string, command?: readonly string[]) => Promise<Container>;

const stopGracePeriodByDefault = '10s';

export async function createStack(options: StackOptions): Promise<Stack> {
  const { project, folder } = options;
  const planned = planNetworks(project);
  const host = await startHost(folder, planned);
  const networks = createNetworks(host, planned);
  const containers = new Map<string, Container[]>();
  const passing: Container[] = [];
  const history: string[] = [];
  const start: Start = createStart(options, { host, networks, stack: () => stack });
  const order = createOrder({
    project,
    onProgress: (what) => history.push(what),
    async start(name, service) {
      const started: Container[] = [];
      containers.set(name, started);
      for (let index = 1; index <= replicasOf(service); index++) {
        const container = await start(name, `${name}-${index}`);
        started.push(container);
        await networks.announce(name, container);
      }
      await networks.publish(service, started[0]!);
      return started;
    },
  });
  const stack: Stack = {
    host,
    project,
    containers,
    history,
    volume: (name) => join(folder, 'volumes', name),
    async up(services) {
      await Promise.all(services.map((name) => order.reach(name)));
    },
    async run(name, command) {
      const instance = `${name}-run-${passing.length + 1}`;
      const container = await start(name, instance, command);
      passing.push(container);
      // It asks for others; nobody takes it for one of its service.
      await networks.announce(instance, container);
      return { code: await container.ended, output: container.output() };
    },
    async renew(name) {
      await stack.stop(name);
      await order.renew(name);
    },
    stop: (name) => stopAll(project.services[name]!, containers.get(name) ?? []),
    async close() {
      const all = [...containers.values(), passing].flat();
      for (const container of all) container.signal('SIGKILL');
      await Promise.all(all.map(({ ended }) => ended));
      await host.close();
    },
  };
  return stack;
}

interface StartContext {
  host: Host;
  networks: Networks;
  stack(): Stack;
}

function createStart(options: StackOptions, { host, networks, stack }: StartContext): Start {
  const { project, folder, makeOurImage, variablesOf } = options;
  const baseLayer = makeBaseLayer(join(folder, 'base'));
  const images = new Map<string, Image>();
  const imageOf = ({ build, image: name = '' }: Service): Image => {
    const key = build ? 'ours' : name;
    const known = images.get(key);
    if (known) return known;
    const at = join(folder, 'images', key.replaceAll(/[^a-z0-9.-]/g, '-'));
    mkdirSync(at, { recursive: true });
    const made = build ? makeOurImage(at, baseLayer) : makeStandIn(name, at, baseLayer);
    images.set(key, made);
    return made;
  };
  return async (name, instance, command) => {
    const service = project.services[name]!;
    const volumesFolder = join(folder, 'volumes');
    const plan = planContainer({ service, image: imageOf(service), name: instance, command, volumesFolder });
    Object.assign(plan.environment, variablesOf?.(name, stack()));
    plan.attachments = networks.attach(service);
    return startContainer(plan, join(folder, 'containers', instance), host.pid);
  };
}

function stopAll(service: Service, containers: readonly Container[]): Promise<(number | undefined)[]> {
  const graceMs = durationMs(service.stop_grace_period ?? stopGracePeriodByDefault);
  const signal = (service.stop_signal ?? 'SIGTERM') as NodeJS.Signals;
  return Promise.all(
    containers.map(async (container) => {
      const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), graceMs).unref());
      container.signal(signal);
      const code = await Promise.race([container.ended, late]);
      if (code === undefined) container.signal('SIGKILL');
      return code;
    }),
  );
}
