/** Addresses, names and published ports of the containers of a compose file. */
import type { Project, Service } from './compose-file.ts';
import type { Attachment, Container } from './container.ts';
import type { Host } from './host.ts';

export interface Network {
  name: string;
  bridge: string;
  address: string;
  prefix: number;
  /** Without a way out. */
  internal: boolean;
}

export interface Networks {
  /** Addresses of a new container, one in each network of its service. */
  attach(service: Service): Attachment[];
  /** A name stands for all containers of its service that run. */
  announce(name: string, container: Container): Promise<void>;
  publish(service: Service, container: Container): Promise<void>;
}

export function planNetworks({ networks }: Project): Network[] {
  return Object.entries(networks).map(([name, network], index) => ({
    name,
    bridge: `br${index}`,
    address: `10.91.${index}.1`,
    prefix: 24,
    internal: network?.internal ?? false,
  }));
}

export function createNetworks(host: Host, networks: readonly Network[]): Networks {
  const running = new Map<Container, string>();
  /** The gateway of each network is its first. */
  let last = 1;

  return {
    attach(service) {
      last += 1;
      return networks
        .filter(({ name }) => name in (service.networks ?? {}))
        .map(({ bridge, address: gateway, prefix, internal }) => {
          const address = gateway.replace(/\d+$/, `${last}`);
          return { bridge, link: `${bridge}-${last}`, address, prefix, gateway, internal };
        });
    },
    async announce(name, container) {
      running.set(container, name);
      await host.setNames(viewsOf(running));
      // The host may be gone before the last container is.
      container.ended
        .then(() => {
          running.delete(container);
          return host.setNames(viewsOf(running));
        })
        .catch(() => {});
    },
    async publish(service, { plan }) {
      for (const { host_ip: at = '0.0.0.0', target, published, protocol } of service.ports ?? []) {
        if (protocol !== 'tcp' || !published) continue;
        await host.publish(at, Number(published), { address: plan.attachments[0]!.address, port: target });
      }
    },
  };
}

/** Each sees the names of all networks that it is in, and of a name that is in several the addresses of one of them. */
function viewsOf(running: ReadonlyMap<Container, string>): Record<string, Record<string, string[]>> {
  const views: Record<string, Record<string, string[]>> = {};
  for (const { plan } of running.keys()) {
    const names: Record<string, string[]> = {};
    for (const [other, name] of running) {
      const shared = plan.attachments.find(({ bridge }) => addressIn(other, bridge) !== undefined);
      if (shared) names[name] = [...(names[name] ?? []), addressIn(other, shared.bridge)!];
    }
    for (const { address } of plan.attachments) views[address] = names;
  }
  return views;
}

function addressIn({ plan }: Container, bridge: string): string | undefined {
  return plan.attachments.find((attachment) => attachment.bridge === bridge)?.address;
}
