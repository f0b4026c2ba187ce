import { createHash } from 'node:crypto';
import { canonicalJson } from './settings.ts';

type Snapshot = Record<string, unknown>;

/**
 * What changes with no webhook telling so, and is therefore no part of what may have been missed. CenturyLink Cloud: the
 * Webhooks FAQ (13 October 2014) lists what triggers one; what VMware's tools say of the guest is not in it, and comes and
 * goes in the recorded servers.
 */
const untold: Readonly<Record<string, (snapshot: Snapshot) => Snapshot>> = {
  centurylink({ details, ...rest }) {
    if (details === null || typeof details !== 'object' || Array.isArray(details)) return { ...rest, details };
    const { hostName: _, partitions: __, ...told } = details as Snapshot;
    return { ...rest, details: told };
  },
};

/**
 * Names what a snapshot says: equal bodies have equal digests, however they are spaced and sorted. Links are left out, for
 * they say how a resource is called and not what it is. A provider's own `modifiedDate` is not enough: the recorded servers
 * were archived, stopped, and lost addresses without a new one.
 *
 * `text` that is no JSON object is named by its bytes.
 */
export function digestOf(provider: string, text: string): string {
  return createHash('sha256').update(canonicalSnapshot(provider, text)).digest('hex').slice(0, 32);
}

function canonicalSnapshot(provider: string, text: string): string {
  let snapshot: Snapshot;
  try {
    const { links: _, ...rest } = JSON.parse(text);
    snapshot = rest;
  } catch {
    return text;
  }
  return canonicalJson(untold[provider]?.(snapshot) ?? snapshot);
}
