/**
 * Tells the lane what was missed of one account: each candidate that still differs once the lane has come past it.
 *
 *   state still differs ─▶ API still shows the same ─▶ told, at once
 *
 * In this order: what the API shows last was shown at the beginning of the wait too, so the state has had the time to be
 * told of it; and what is told cannot take the place of something newer, but for what happens within this one moment. What
 * has changed meanwhile is left to its own webhook, or to the next comparison.
 */
import { type Claim, type ClaimContext, claimOf, deletionOf } from './claims.ts';
import type { EntityTable, Estate, Sighting } from './estate.ts';
import { type Judgement, judge } from './judge.ts';
import type { Known, KnownEntity } from './known.ts';
import type { ReconciledLane } from './lane.ts';
import type { Candidate, Found, Progress, Told } from './progress.ts';
import { RunError } from './run-error.ts';
import { problemOf } from './walk.ts';

export interface TellContext {
  run: string;
  estate: Estate;
  known: Known;
  lane: Pick<ReconciledLane, 'tell'>;
  progress: Pick<Progress, 'told' | 'saveTold'>;
  claim: ClaimContext;
  roots: readonly string[];
  /** Deletions may be claimed: everything was walked whole. */
  whole: boolean;
  /** All deletions, however many there are at once. */
  allDeletions: boolean;
  onClaim?: ((claim: Claim, key: string) => void) | undefined;
}

/** So many deletions at once, of more than half of an account's servers, are more likely a right that was lost. */
const deletionsMax = 20;
const atOnce = 16;

/** What is told of one account. */
interface Telling {
  account: string;
  told: Told;
  context: TellContext;
}

interface Finding {
  claim: Claim;
  key: string;
}

/** @throws RunError where it cannot go on now */
export async function tellAccount(found: Found, context: TellContext): Promise<void> {
  const { account } = found;
  const { progress, claim } = context;
  const before = progress.told(account);
  if (before?.done) return;
  // Whoever was killed while telling finds less to tell: what was told counts all the same.
  const told: Told = { done: false, claims: { ...before?.claims }, contradictions: 0, unsettled: 0, withheld: 0 };
  const telling = { account, told, context };
  const judged = await judgeAll(found, context);
  const of = (...wanted: Judgement[]) => judged.filter(({ judgement }) => wanted.includes(judgement));
  const unmet = of('unknown');
  // Of an account that is compared for the first time they are many, and older than nothing.
  if (claim.bootstrap) {
    await tell(
      telling,
      unmet.map(({ candidate: { key, seen } }) => ({ key, claim: claimOf('unknown', seen!, claim) })),
    );
  }
  for (const { candidate } of [...(claim.bootstrap ? [] : unmet), ...of('changed', 'reborn')]) {
    if (!(await tellSettled(candidate, telling))) told.unsettled++;
  }
  told.contradictions = of('contradiction').length;
  await tellGone(
    of('gone').map(({ candidate }) => candidate),
    found,
    telling,
  );
  progress.saveTold(account, { ...told, done: true });
}

/** Notes what is told before it is told. */
async function tell({ account, told, context }: Telling, findings: readonly Finding[]): Promise<void> {
  if (findings.length === 0) return;
  const { lane, progress, run, onClaim, estate } = context;
  const { provider, host } = estate;
  const { bootstrap } = context.claim;
  for (const { claim } of findings) told.claims[claim.id] = claim.counts;
  progress.saveTold(account, told);
  for (let from = 0; from < findings.length; from += atOnce) {
    const some = findings.slice(from, from + atOnce);
    for (const { claim, key } of some) onClaim?.(claim, key);
    await Promise.all(
      some.map(async ({ claim }) => {
        try {
          await lane.tell({ ...claim, provider, host, run, bootstrap });
        } catch (error) {
          // What is too long for a webhook is for this, too: it must not keep all others from being told.
          if (!(error instanceof RunError) || error.code !== 'REFUSED') throw error;
          delete told.claims[claim.id];
          told.withheld++;
        }
      }),
    );
  }
}

async function judgeAll(
  { account, candidates }: Found,
  { known }: TellContext,
): Promise<{ candidate: Candidate; judgement: Judgement }[]> {
  const judged: { candidate: Candidate; judgement: Judgement }[] = [];
  for (const table of ['accounts', 'servers'] as const) {
    const ofTable = candidates.filter((candidate) => candidate.table === table);
    if (ofTable.length === 0) continue;
    const keys = ofTable.map(({ key }) => key);
    const entities = await known.these(table, account, keys);
    for (const candidate of ofTable) {
      judged.push({ candidate, judgement: judge(entities.get(candidate.key), candidate.seen) });
    }
  }
  return judged;
}

/** False where it has changed meanwhile, or the API would not say. */
async function tellSettled({ table, key, id, seen }: Candidate, telling: Telling): Promise<boolean> {
  const { account, context } = telling;
  const judgement = judge(await entityOf(table, account, key, context), seen);
  if (judgement === 'same') return true;
  if (judgement === 'gone' || judgement === 'contradiction' || !seen) return false;
  const now = await ask(table, account, id, context);
  if (now === 'unsaid' || now?.digest !== seen.digest || now.createdAt !== seen.createdAt) return false;
  await tell(telling, [{ key, claim: claimOf(judgement, seen, context.claim) }]);
  return true;
}

/** The servers of an account that is gone itself end with it. */
async function tellGone(gone: readonly Candidate[], { known }: Found, telling: Telling): Promise<void> {
  const { account, told, context } = telling;
  if (gone.length === 0) return;
  const few = context.allDeletions || gone.length <= deletionsMax || gone.length * 2 <= known;
  const ofAccount = gone.find(({ table }) => table === 'accounts');
  if (!context.whole || !few || !(await isSeeing(ofAccount ? context.roots : [account], context))) {
    told.withheld += gone.length;
    return;
  }
  for (const candidate of ofAccount ? [ofAccount] : gone) {
    if (!(await tellDeletion(candidate, telling))) told.withheld++;
  }
}

async function tellDeletion({ table, key, id }: Candidate, telling: Telling): Promise<boolean> {
  const { account, context } = telling;
  const entity = await entityOf(table, account, key, context);
  if (!entity || entity.deleted) return true;
  if ((await ask(table, account, id, context)) !== undefined) return false;
  await tell(telling, [{ key, claim: deletionOf(table, account, entity) }]);
  return true;
}

/** Who is shown these accounts no more is told 404 of everything in them. */
async function isSeeing(accounts: readonly string[], context: TellContext): Promise<boolean> {
  for (const account of accounts) {
    const shown = await ask('accounts', account, '', context);
    if (shown === undefined || shown === 'unsaid') return false;
  }
  return true;
}

async function entityOf(
  table: EntityTable,
  account: string,
  key: string,
  { known }: TellContext,
): Promise<KnownEntity | undefined> {
  return (await known.these(table, account, [key])).get(key);
}

async function ask(
  table: EntityTable,
  account: string,
  id: string,
  { estate }: TellContext,
): Promise<Sighting | undefined | 'unsaid'> {
  try {
    return await (table === 'servers' ? estate.server(account, id) : estate.account(account));
  } catch (error) {
    problemOf(error);
    return 'unsaid';
  }
}
