/**
 * One comparison of a tenant's accounts at a provider with what the lane knows of them.
 *
 *   walk every account ─▶ ask directly for what differs ─▶ wait for the lane ─▶ what differs still is told to it
 *
 * 1. What is told differs although the lane has worked on all that any edge had received when the API was asked, and
 *    `settleMs` longer: a webhook that was on its way is in the state by then. And the API shows the same once more behind
 *    that. So nothing is claimed that a webhook tells, and no snapshot takes the place of a newer one.
 * 2. A deletion is claimed only after a walk that met every account whole, and after two 404s, one before and one behind
 *    that wait, from an API that still shows the account.
 * 3. A second comparison finds nothing of what the first has told. Should it be told again all the same (a crash before the
 *    lane had it), the claim has the same id and the same snapshot, and changes nothing.
 * 4. Whoever was killed goes on with the same run. A run that is too old is given up, for its sightings are.
 */
import type { Claim } from './claims.ts';
import { type Estate, nameOf } from './estate.ts';
import type { Known } from './known.ts';
import type { ReconciledAccount, ReconciledLane } from './lane.ts';
import type { Found, Head, Memory, Progress } from './progress.ts';
import { type Report, reportOf } from './report.ts';
import { tellAccount } from './tell.ts';
import { problemOf, walkAccount } from './walk.ts';

export interface RunOptions {
  tenant: string;
  /** Of the provider, as provider:account. */
  roots: readonly string[];
  estate: Estate;
  known: Known;
  lane: ReconciledLane;
  progress: Progress;
  /** Only these accounts, as provider:account; undefined: all that are known. */
  only?: readonly string[] | undefined;
  allDeletions?: boolean;
  dryRun?: boolean;
  /** How long a webhook may be on its way. */
  settleMs?: number | undefined;
  /** A run that was begun before is not gone on with. */
  resumeMsMax?: number;
  nowMs: () => number;
  newRunId: () => string;
  onStep?: (text: string) => void;
}

/** CenturyLink Cloud: often within 5 seconds (Webhooks FAQ). */
const settleMsByDefault = 30_000;
const resumeMsMaxByDefault = 6 * 3_600_000;
/** How far up the parents of an account are asked for that nobody knows. */
const levelsMax = 8;

/** @throws RunError where it cannot go on now; called again it goes on from there. */
export async function reconcile(options: RunOptions): Promise<Report> {
  const { progress, lane, onStep = () => {} } = options;
  const memory = progress.memory();
  const { head, resumed } = await begin(options, memory);
  onStep(`${resumed ? 'goes on with' : 'begins'} run ${head.run}: ${head.accounts.length} accounts`);
  await lane.announce(documentOf(options, head, 'begin', memory));
  const found = await walkAll(head.accounts, options, memory);
  const whole = found.every(({ problem }) => problem === '');
  const candidates = found.reduce((sum, one) => sum + one.candidates.length, 0);
  if (candidates > 0) {
    onStep(`${candidates} differences: waits for webhooks that are on their way`);
    await lane.reached(options.nowMs() + (options.settleMs ?? settleMsByDefault));
  }
  const claims: Report['claims'] = [];
  await tellAll(found, { options, head, memory, whole, claims });
  const report = reportOf({ options, head, memory, found, claims });
  await lane.announce({
    ...documentOf(options, head, whole ? 'complete' : 'failed', memory),
    reason: whole ? '' : reasonOf(found),
    accounts: toldAccounts(found),
  });
  if (whole && head.scope === 'all') {
    progress.remember({
      startedAt: head.startedAt,
      completedAt: options.nowMs(),
      roots: [...options.roots],
    });
  }
  progress.end();
  return report;
}

async function begin(options: RunOptions, memory: Memory | undefined): Promise<{ head: Head; resumed: boolean }> {
  const { progress, only, nowMs, resumeMsMax = resumeMsMaxByDefault } = options;
  const before = progress.head();
  const scope = only ? 'some' : 'all';
  if (before) {
    const same = before.scope === scope && (!only || only.join() === before.accounts.join());
    if (same && nowMs() - before.startedAt <= resumeMsMax) return { head: before, resumed: true };
    const reason = same ? 'it was interrupted, and is too old to be gone on with' : 'another one was asked for';
    await options.lane.announce({ ...documentOf(options, before, 'failed', memory), reason });
    progress.end();
  }
  const startedAt = nowMs();
  const head: Head = {
    run: options.newRunId(),
    startedAt,
    scope,
    accounts: [...(only ?? (await listAccounts(options)))],
  };
  progress.saveHead(head);
  return { head, resumed: false };
}

/** Those that the lane knows, and those that it waits to be told of, where the API says that they are below a root. */
async function listAccounts({ estate, known, roots }: RunOptions): Promise<string[]> {
  const { accounts, pending } = await known.accounts(estate.provider);
  const listed = new Set(roots);
  for (const account of accounts) {
    const key = nameOf(account);
    const entity = (await known.these('accounts', account, [key])).get(key);
    if (!entity?.deleted) listed.add(account);
  }
  for (const account of pending)
    if (!listed.has(account) && (await isOurs(account, listed, estate))) listed.add(account);
  return [...listed];
}

async function isOurs(account: string, ours: ReadonlySet<string>, estate: Estate): Promise<boolean> {
  let at = account;
  for (let level = 0; level < levelsMax; level++) {
    try {
      const { parent = '' } = (await estate.account(at)) ?? {};
      if (parent === '') return false;
      if (ours.has(parent)) return true;
      at = parent;
    } catch (error) {
      // A stranger's account is nothing that we may see.
      problemOf(error);
      return false;
    }
  }
  return false;
}

async function walkAll(accounts: readonly string[], options: RunOptions, memory: Memory | undefined): Promise<Found[]> {
  const { progress, onStep = () => {} } = options;
  const found = new Map<string, Found>();
  const visit = async (account: string) => {
    const bootstrap = isBootstrap(account, options.roots, memory, [...found.values()]);
    const walked = await walkAccount(account, { ...options, bootstrap });
    progress.saveFound(walked);
    found.set(account, walked);
    if (walked.problem) onStep(`${account}: ${walked.problem}`);
  };
  for (const account of accounts) {
    const before = progress.found(account);
    if (before?.problem === '') found.set(account, before);
    else await visit(account);
  }
  // What was moved or restarted just then is mostly whole a while later.
  for (const { account } of [...found.values()].filter(({ problem }) => problem !== '')) await visit(account);
  return [...found.values()];
}

interface Telling {
  options: RunOptions;
  head: Head;
  memory: Memory | undefined;
  whole: boolean;
  claims: Report['claims'];
}

async function tellAll(found: readonly Found[], { options, head, memory, whole, claims }: Telling): Promise<void> {
  const note = (claim: Claim, key: string) => {
    if (claims.length < claimsShownMax) claims.push({ event: claim.eventName, account: claim.account, subject: key });
  };
  for (const each of found) {
    const bootstrap = isBootstrap(each.account, options.roots, memory, found);
    await tellAccount(each, {
      ...options,
      run: head.run,
      claim: { bootstrap, comparedAt: memory?.startedAt },
      whole,
      allDeletions: options.allDeletions ?? false,
      onClaim: note,
    });
  }
}

const claimsShownMax = 1_000;

/** Nothing was ever compared, or nothing below the root that the account is in. */
export function isBootstrap(
  account: string,
  roots: readonly string[],
  memory: Memory | undefined,
  found: readonly Found[],
): boolean {
  if (!memory) return true;
  const parents = new Map(found.map(({ account: child, parent }) => [child, parent]));
  let at: string | undefined = account;
  for (let level = 0; at && level < levelsMax; level++) {
    if (roots.includes(at)) return !memory.roots.includes(at);
    at = parents.get(at);
  }
  return false;
}

function documentOf(
  { estate }: RunOptions,
  { run, scope, startedAt }: Head,
  phase: 'begin' | 'complete' | 'failed',
  memory: Memory | undefined,
) {
  const { provider, host } = estate;
  return {
    run,
    provider,
    host,
    phase,
    bootstrap: memory === undefined,
    scope,
    started_at: startedAt,
    reason: '',
    accounts: [],
  };
}

/** As many as a control may hold; those that were not walked whole are among them. */
const accountsToldMax = 10_000;

function toldAccounts(found: readonly Found[]): ReconciledAccount[] {
  const all = found.map(({ account, servers, problem }) => ({ account, servers, complete: problem === '' }));
  if (all.length <= accountsToldMax) return all;
  return all.sort((a, b) => Number(a.complete) - Number(b.complete)).slice(0, accountsToldMax);
}

function reasonOf(found: readonly Found[]): string {
  const troubled = found.filter(({ problem }) => problem !== '');
  return `${troubled.length} of ${found.length} accounts were not walked whole: ${troubled[0]?.problem}`.slice(0, 500);
}
