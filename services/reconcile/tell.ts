/** Tells the lane what was missed of one account: each candidate that still differs once the lane has come past it. */
import { type Claim, type ClaimContext, claimOf, deletionOf } from './claims.ts';
import type { Estate } from './estate.ts';
import { type Difference, judge } from './judge.ts';
import type { Known, KnownEntities, KnownEntity } from './known.ts';
import type { ReconciledLane } from './lane.ts';
import type { Candidate, Found, Progress, Told } from './progress.ts';
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

interface Finding {
  claim: Claim;
  key: string;
}

interface Gone {
  candidate: Candidate;
  entity: KnownEntity;
}

/** @throws RunError where it cannot go on now */
export async function tellAccount(found: Found, context: TellContext): Promise<void> {
  const { account } = found;
  const { progress } = context;
  const before = progress.told(account);
  if (before?.done) return;
  const { findings, counted } = await findingsOf(found, context);
  const claims = Object.fromEntries(findings.map(({ claim }) => [claim.id, claim.counts]));
  // Whoever was killed while telling finds less to tell: what was told counts all the same.
  const told: Told = { done: false, claims: { ...before?.claims, ...claims }, ...counted };
  progress.saveTold(account, told);
  for (let from = 0; from < findings.length; from += atOnce) {
    await Promise.all(findings.slice(from, from + atOnce).map((finding) => tell(finding, context)));
  }
  progress.saveTold(account, { ...told, done: true });
}

async function tell({ claim, key }: Finding, { lane, estate, run, claim: { bootstrap }, onClaim }: TellContext) {
  onClaim?.(claim, key);
  await lane.tell({ ...claim, provider: estate.provider, host: estate.host, run, bootstrap });
}

async function findingsOf(found: Found, context: TellContext) {
  const { account, candidates } = found;
  const findings: Finding[] = [];
  const gone: Gone[] = [];
  const counted = { contradictions: 0, unsettled: 0, withheld: 0 };
  for (const table of ['accounts', 'servers'] as const) {
    const ofTable = candidates.filter((candidate) => candidate.table === table);
    const keys = ofTable.map(({ key }) => key);
    const known: KnownEntities = keys.length === 0 ? new Map() : await context.known.these(table, account, keys);
    for (const candidate of ofTable) {
      const entity = known.get(candidate.key);
      const judgement = judge(entity, candidate.seen);
      if (judgement === 'same') continue;
      if (judgement === 'contradiction') counted.contradictions++;
      else if (judgement === 'gone') gone.push({ candidate, entity: entity! });
      else if (await isSettled(candidate, judgement, account, context)) {
        findings.push({ claim: claimOf(judgement, candidate.seen!, context.claim), key: candidate.key });
      } else counted.unsettled++;
    }
  }
  const claimed = mayClaim(gone.length, found, context) ? await claimGone(account, gone, context) : undefined;
  if (!claimed) counted.withheld = gone.length;
  return { findings: [...findings, ...(claimed ?? [])], counted };
}

/**
 * Asked behind the state: what is shown still was shown before it, so the state has had the time to be told. What has changed
 * meanwhile is told by its own webhook, or found by the next comparison. What no webhook has told of since the first walk
 * cannot be brought back to an older snapshot.
 */
async function isSettled(
  { table, id, seen }: Candidate,
  judgement: Difference,
  account: string,
  { estate, claim }: TellContext,
): Promise<boolean> {
  if (judgement === 'unknown' && claim.bootstrap) return true;
  try {
    const now = table === 'servers' ? await estate.server(account, id) : await estate.account(account);
    return now?.digest === seen?.digest && now?.createdAt === seen?.createdAt;
  } catch (error) {
    problemOf(error);
    return false;
  }
}

function mayClaim(count: number, { known }: Found, { whole, allDeletions }: TellContext): boolean {
  return whole && (allDeletions || count <= deletionsMax || count * 2 <= known);
}

/** Undefined where the API would not say. */
async function claimGone(account: string, gone: readonly Gone[], context: TellContext): Promise<Finding[] | undefined> {
  try {
    return await stillGone(account, gone, context);
  } catch (error) {
    problemOf(error);
    return undefined;
  }
}

/**
 * The API is asked once more, and whether it still shows the account that they were in, or where that is gone, the roots:
 * who is shown nothing any more is told 404 of everything.
 */
async function stillGone(account: string, gone: readonly Gone[], { estate, roots }: TellContext): Promise<Finding[]> {
  if (gone.length === 0) return [];
  const ofAccount = gone.find(({ candidate }) => candidate.table === 'accounts');
  const self = await estate.account(account);
  if (ofAccount) {
    const shown = await Promise.all(roots.map((root) => estate.account(root)));
    if (self || shown.includes(undefined)) return [];
    return [{ claim: deletionOf('accounts', account, ofAccount.entity), key: ofAccount.candidate.key }];
  }
  if (!self) return [];
  const findings: Finding[] = [];
  for (const { candidate, entity } of gone) {
    if (await estate.server(account, candidate.id)) continue;
    findings.push({ claim: deletionOf('servers', account, entity), key: candidate.key });
  }
  return findings;
}
