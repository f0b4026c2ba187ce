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
  const names = new Map(networks.map(({ bridge }) => [bridge, new Map<string, string[]>()]));
  /** The gateway of each network is its first. */
  let last = 1;

  const change = async ({ plan }: Container, name: string, next: (known: string[], own: string) => string[]) => {
    for (const { bridge, address } of plan.attachments) {
      const known = names.get(bridge)!;
      const addresses = next(known.get(name) ?? [], address);
      // Without a container there is no such name.
      if (addresses.length === 0) known.delete(name);
      else known.set(name, addresses);
      await host.setNames(bridge, Object.fromEntries(known));
    }
  };
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
      await change(container, name, (known, own) => [...known, own]);
      // The host may be gone before the last container is.
      container.ended
        .then(() => change(container, name, (known, own) => known.filter((other) => other !== own)))
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
