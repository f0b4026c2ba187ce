import { isObject, type JsonObject } from '../json.ts';

/**
 * A snapshot without what changes while no webhook says so: the Webhooks FAQ (13 October 2014) lists what triggers one, and
 * what VMware's tools say of the guest is not in it, and comes and goes in the recorded servers. Links say how a resource is
 * called, not what it is.
 */
export function told({ links: _, ...snapshot }: JsonObject): JsonObject {
  if (!isObject(snapshot.details)) return snapshot;
  const { hostName: __, partitions: ___, ...details } = snapshot.details;
  return { ...snapshot, details };
}
