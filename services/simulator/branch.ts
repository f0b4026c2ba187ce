/**
 * A sub-account that has endpoints of its own. What happens at and below it is told twice, to the root's endpoint and to
 * its own, and now and then one of the two is lost: the provider tries once.
 */
import { tellAccount } from './happenings.ts';
import type { EventName, Happening } from './item.ts';
import type { World } from './world.ts';

export interface Branch {
  alias: string;
  /** What its own endpoints are told of. */
  events: ReadonlySet<EventName>;
}

/** One delivery in so many is lost at either endpoint. */
const lostOneIn = 20;
/** Only what is never said in the same bytes again: what is lost of such can be told from all else. */
const losable: ReadonlySet<EventName> = new Set(['Server.Created', 'Server.Updated', 'Server.Deleted']);

/** The first thing that is told of it, before all that is below. */
export function introduceBranch({ estate, schedule }: World, { alias }: Branch): void {
  const account = { ...estate.createAccount(), alias, businessName: `Branch ${alias}` };
  const { body, ...happening } = tellAccount('Account.Updated', account);
  schedule.add(0, () => ({ ...happening, body, label: 'branch' }));
}

/** Plans the copy for the other endpoint, and returns what is sent now. `unit`: a number that no other one has. */
export function tellTwice(world: World, branch: Branch, happening: Happening, nowMs: number, unit: number): Happening {
  const { random, schedule } = world;
  const isTwice = branch.events.has(happening.event) && happening.to === undefined && isBelow(world, happening.account);
  if (!isTwice || happening.label === 'branch') return happening;
  const own: Happening = { ...happening, unit, to: 'branch' };
  const fate = losable.has(happening.event) && happening.label === undefined ? random.between(1, lostOneIn) : 0;
  if (fate === 1) return own;
  if (fate !== 2) schedule.add(nowMs + random.between(20, 900), () => own);
  return { ...happening, unit };
}

/** The accounts below it, and those below them. */
function isBelow({ accounts, branch }: World, alias: string): boolean {
  let next: string | undefined = alias;
  while (next !== undefined && next !== branch) next = accounts.find((account) => account.alias === next)?.parentAlias;
  return next !== undefined;
}
