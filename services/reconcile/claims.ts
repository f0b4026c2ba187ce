/** How a finding is told: as the delivery that a webhook would have been. */
import { createHash } from 'node:crypto';
import { nameOf, type Sighting } from './estate.ts';
import type { Difference } from './judge.ts';
import type { KnownEntity } from './known.ts';

export interface Claim {
  eventName: string;
  account: string;
  /** The same fact has the same one, in whatever run it is found. */
  id: string;
  body: string;
  /** As what it counts in the report. */
  counts: 'creations' | 'changes' | 'deletions' | 'seen';
}

export interface ClaimContext {
  /** The account was never compared before: nothing of it is news. */
  bootstrap: boolean;
  /** When the last complete comparison began, epoch milliseconds; undefined where there was none. */
  comparedAt: number | undefined;
}

/**
 * A creation is claimed only of what is younger than the last comparison: what is older, and unknown, was there all the
 * time, and is met for the first time (`seen`). Accounts do not say when they were created.
 */
export function claimOf(
  difference: Exclude<Difference, 'gone'>,
  seen: Sighting,
  { bootstrap, comparedAt = Number.POSITIVE_INFINITY }: ClaimContext,
): Claim {
  const entity = seen.table === 'servers' ? 'Server' : 'Account';
  const isNew = difference === 'reborn' || (difference === 'unknown' && (seen.createdAt ?? 0) > comparedAt);
  const created = isNew && !bootstrap;
  const counts = created ? 'creations' : difference === 'changed' && !bootstrap ? 'changes' : 'seen';
  const eventName = `${entity}.${created ? 'Created' : 'Updated'}`;
  return {
    eventName,
    account: seen.account,
    id: idOf(eventName, seen.account, seen.key, String(seen.modifiedAt ?? ''), seen.digest),
    body: seen.body,
    counts,
  };
}

/** All that a webhook says of a deletion: the account and the name (Webhooks FAQ). */
export function deletionOf(table: Sighting['table'], account: string, known: KnownEntity): Claim {
  const eventName = table === 'servers' ? 'Server.Deleted' : 'Account.Deleted';
  const accountAlias = nameOf(account);
  const body = table === 'servers' ? { accountAlias, name: known.subject } : { accountAlias };
  return {
    eventName,
    account,
    // A name can be used again: each of its lives ends for itself.
    id: idOf(eventName, account, known.key, String(known.createdAt ?? ''), known.digest),
    body: JSON.stringify(body),
    counts: 'deletions',
  };
}

function idOf(...parts: readonly string[]): string {
  return `r-${createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 40)}`;
}
