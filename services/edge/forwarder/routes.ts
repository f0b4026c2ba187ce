import type { Partition, Route } from './route.ts';

/** The routes of all partitions, by tenant. */
export interface Routes {
  of(tenant: string): Route | undefined;
  /** The tenant's route; begun at the position where its partition has none yet. */
  open(tenant: string, position: number): Route;
  /** Tenant → everything of it before this position of the journal was acknowledged. */
  positions(): Record<string, number>;
  /** One of each partition. */
  all(): Iterable<Route>;
}

export interface RoutesOptions {
  partitionOf(tenant: string): Partition;
  begin(partition: Partition, position: number, owns: (tenant: string) => boolean): Route;
}

export function createRoutes({ partitionOf, begin }: RoutesOptions): Routes {
  const byPartition = new Map<Partition, Route>();
  const byTenant = new Map<string, Route>();

  return {
    of: (tenant) => byTenant.get(tenant),
    open(tenant, position) {
      const known = byTenant.get(tenant);
      if (known) return known;
      const partition = partitionOf(tenant);
      const route: Route =
        byPartition.get(partition) ?? begin(partition, position, (other) => byTenant.get(other) === route);
      byPartition.set(partition, route);
      byTenant.set(tenant, route);
      return route;
    },
    positions: () => Object.fromEntries([...byTenant].map(([tenant, route]) => [tenant, route.positionOf(tenant)])),
    all: () => byPartition.values(),
  };
}
