/**
 * Whether an account is the tenant's. Where one published key signs for all customers, a genuine delivery may be a
 * stranger's that was sent on to us: its account must be at home, or be below one that is.
 *
 *   root ◀── reseller ◀── customer        belongs: each step up was told by an event, as it was at that time
 *            (unknown) ◀── stranger       waits for what is unknown
 */
import type { Fact } from '../providers/provider.ts';
import { providers } from '../providers/providers.ts';
import type { Delivery } from '../records/generated.ts';
import type { StepContext } from './context.ts';
import { levelsMax, parentOf } from './hierarchy.ts';
import { homesOf } from './receivers.ts';

/** What decides whether a fact is the tenant's. */
export interface Claim {
  provider: string;
  account: string;
  /** Of an account's own body: what is directly above it. Empty otherwise. */
  parent: string;
  /** Epoch milliseconds. */
  time: number;
}

export function claimOf({ entity, account, parentAccount }: Fact, provider: string, time: number): Claim {
  return { provider, account, parent: entity === 'account' ? parentAccount : '', time };
}

/** Whether accounts are checked: not where a provider signs for one customer alone, nor where no root of it is known. */
export function mustBelong(context: StepContext, { provider, origin }: Pick<Delivery, 'provider' | 'origin'>): boolean {
  const signsForAll = providers.get(provider)?.signsForAll ?? false;
  return signsForAll && origin !== 'reconcile' && homesOf(context.settings).providers.has(provider);
}

/**
 * The account that must become known before the claim's can belong; undefined where it does. An account's own body
 * belongs if what is above it does, and also if the account did so before: that it moved away is ours to know.
 */
export function awaitedBy(context: StepContext, { account, parent, time }: Claim): string | undefined {
  const own = awaited(context, account, time);
  if (own === undefined || parent === '') return own;
  return awaited(context, parent, time);
}

/** As chainOf, without a list: it is asked of every delivery. */
function awaited({ state, settings }: StepContext, account: string, time: number): string | undefined {
  const { accounts } = homesOf(settings);
  let last = account;
  let next: string | undefined = account;
  for (let level = 0; next !== undefined && level < levelsMax; level++) {
    last = next;
    if (accounts.has(last) || accounts.has(last.toUpperCase())) return undefined;
    const parentage = state.parents.get('', last);
    if (parentage?.confirmed) return undefined;
    next = parentage && parentOf(parentage, time);
  }
  return next === undefined ? last : account;
}
