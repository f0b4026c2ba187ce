/**
 * Deliveries whose account is not known to be the tenant's: they wait for it, are refused when nothing late can tell of
 * it any more, and are taken after all should it become known within the week after.
 *
 *   delivery        the account becomes known          … known now
 *   ──┬─────────────────┬──────────────────┬───────────────┬──────────┬────▶ watermark
 *     │ waits           └ an event         │               └ an event, and the reject is withdrawn
 *     └─ lateness ─────────────────────────┴ reject `foreign account`  └ forgotten
 *                                            └─ 7 days ───────────────┘
 *
 * What became known frees what waited for it in the order of the lane, as if it came now.
 */
import type { Delivery } from '../records/generated.ts';
import { awaitedBy, type Claim } from './belonging.ts';
import type { StepContext } from './context.ts';
import { dayMs, hourMs, hourOf } from './durations.ts';
import type { Waiting } from './identity-state.ts';
import { reject, withdrawReject } from './rejects.ts';
import { count, type FlowState } from './state.ts';

/** How long a refused one is kept. */
const reopenMs = 7 * dayMs;
/** Of all bodies together. */
const bytesMax = 64 * 1024 * 1024;

/** What a delivery has become: its event, and the accounts of which it has changed what is known. */
export interface Worked {
  event: string;
  settled: readonly string[];
}

/** Keeps a delivery until an account is known; where too many wait it is refused at once. */
export function keepWaiting(context: StepContext, delivery: Delivery, claim: Claim, awaited: string): void {
  const { state, settings } = context;
  if (!hasRoom(context, delivery.body.length)) {
    count(state, 'pending', 'overflowed');
    const detail = `${foreignOf(claim, awaited)}; it was not kept, since ${settings.pending_max} others or ${bytesMax} bytes are`;
    return reject(context, delivery, 'foreign account', detail);
  }
  const body = Buffer.from(delivery.body).toString('base64');
  const ends = hourOf(delivery.received_at + settings.lateness_ms);
  const position = String(context.position).padStart(16, '0');
  put(state, position, { delivery: { ...delivery, body }, claim, awaited, foreign: false, ends });
  count(state, 'pending', 'kept');
  count(state, 'pending', 'bytes', delivery.body.length);
  count(state, 'outcomes', 'pending');
}

/** Frees what belongs now that more is known of accounts, and what that makes known in turn. `work` makes an event of one. */
export function free(context: StepContext, accounts: readonly string[], work: (delivery: Delivery) => Worked): void {
  let ready = takeReady(context, accounts);
  while (ready.length > 0) {
    const [first, ...others] = ready as [Ready, ...Ready[]];
    const more = takeReady(context, freeOne(context, first, work));
    ready = more.length === 0 ? others : [...others, ...more].sort(byPosition);
  }
}

/** Accounts of which something waits. */
export function waitingAccounts(state: FlowState): string[] {
  return state.pending.sortedGroups();
}

/** Accounts of which something must become known for what waits: their own, or what is above them. */
export function awaitedAccounts(state: FlowState): string[] {
  return [...new Set([...state.pending.sortedGroups(), ...state.awaits.sortedGroups()])].sort();
}

/** At a tick: refuses those that have waited too long, and forgets those that were refused too long ago. */
export function endWaiting(context: StepContext, watermark: number): void {
  const { state } = context;
  const hour = hourOf(watermark);
  for (let due = state.pendingEnds.firstGroup(); due !== undefined && due < hour; ) {
    for (const [position, account] of state.pendingEnds.sortedEntries(due)) end(context, position, account, due);
    due = state.pendingEnds.firstGroup();
  }
}

interface Ready {
  position: string;
  waiting: Waiting;
}

function byPosition(a: Ready, b: Ready): number {
  return a.position < b.position ? -1 : 1;
}

/** Takes out what belongs now, of these accounts and of those that waited for them. The rest waits for what is unknown yet. */
function takeReady(context: StepContext, accounts: readonly string[]): Ready[] {
  const { state } = context;
  const asked = new Set(accounts.flatMap((account) => [account, ...state.awaits.group(account).keys()]));
  const ready: Ready[] = [];
  for (const account of asked) {
    for (const [position, waiting] of state.pending.sortedEntries(account)) {
      const awaited = awaitedBy(context, waiting.claim);
      if (awaited === waiting.awaited) continue;
      take(state, position, waiting);
      if (awaited === undefined) ready.push({ position, waiting });
      else put(state, position, { ...waiting, awaited });
    }
  }
  return ready.sort(byPosition);
}

function freeOne(context: StepContext, { waiting }: Ready, work: (delivery: Delivery) => Worked): readonly string[] {
  const { state } = context;
  const delivery = { ...waiting.delivery, body: Buffer.from(waiting.delivery.body, 'base64') };
  forget(state, waiting);
  let settled: readonly string[] = [];
  context.attempt(
    () => {
      const worked = work(delivery);
      if (waiting.foreign) withdrawReject(context, delivery, 'foreign account', worked.event);
      settled = worked.settled;
    },
    (error) => {
      if (waiting.foreign) withdrawReject(context, delivery, 'foreign account', '');
      reject(context, delivery, 'internal', `the flow failed on it: ${error.message}`);
    },
  );
  return settled;
}

function end(context: StepContext, position: string, account: string, due: string): void {
  const { state } = context;
  const waiting = state.pending.get(account, position)!;
  take(state, position, waiting);
  if (waiting.foreign) return forget(state, waiting);
  const delivery = { ...waiting.delivery, body: Buffer.alloc(0) };
  count(state, 'outcomes', 'pending', -1);
  count(state, 'pending', 'foreign');
  reject(context, delivery, 'foreign account', foreignOf(waiting.claim, waiting.awaited));
  put(state, position, { ...waiting, foreign: true, ends: hourOf((Number(due) + 1) * hourMs + reopenMs) });
}

function foreignOf({ account, parent }: Claim, awaited: string): string {
  const what = parent === '' ? account : `${account} below ${parent}`;
  return `${what} is not known to belong to the tenant: nothing said what is above ${awaited}`;
}

/** Makes room by forgetting what was refused, the oldest first. */
function hasRoom({ state, settings }: StepContext, bytes: number): boolean {
  const fits = () => counted(state, 'kept') < settings.pending_max && counted(state, 'bytes') + bytes <= bytesMax;
  if (fits()) return true;
  for (const due of counted(state, 'foreign') > 0 ? state.pendingEnds.sortedGroups() : []) {
    for (const [position, account] of state.pendingEnds.sortedEntries(due)) {
      const waiting = state.pending.get(account, position)!;
      if (!waiting.foreign) continue;
      take(state, position, waiting);
      forget(state, waiting);
      count(state, 'pending', 'evicted');
    }
    if (fits()) return true;
  }
  return false;
}

function put(state: FlowState, position: string, waiting: Waiting): void {
  const { account } = waiting.claim;
  state.pending.set(account, position, waiting);
  state.pendingEnds.set(waiting.ends, position, account);
  if (waiting.awaited !== account) state.awaits.set(waiting.awaited, account, true);
}

function take(state: FlowState, position: string, { claim: { account }, awaited, ends }: Waiting): void {
  state.pending.delete(account, position);
  state.pendingEnds.delete(ends, position);
  for (const other of state.pending.group(account).values()) if (other.awaited === awaited) return;
  state.awaits.delete(awaited, account);
}

function forget(state: FlowState, { delivery, foreign }: Waiting): void {
  count(state, 'pending', 'kept', -1);
  count(state, 'pending', 'bytes', -Buffer.byteLength(delivery.body, 'base64'));
  if (foreign) count(state, 'pending', 'foreign', -1);
  else count(state, 'outcomes', 'pending', -1);
}

function counted(state: FlowState, key: string): number {
  return state.counts.get('pending', key) ?? 0;
}
