/**
 * Finds what may have been missed of one account: the estate and the lane's state are compared, and wherever they differ
 * the API is asked directly for that one thing. What comes of it are candidates; run.ts says what makes a finding of one.
 */
import { ProviderApiError, type ProviderApiErrorCode } from '../ports/provider-api/provider-api.ts';
import { type EntityTable, type Estate, nameOf, type Sighting, WalkError } from './estate.ts';
import { judge } from './judge.ts';
import type { Known, KnownEntities } from './known.ts';
import type { Candidate, Found } from './progress.ts';
import { RunError } from './run-error.ts';

export interface WalkContext {
  estate: Estate;
  known: Known;
  roots: readonly string[];
  /** The account was never compared before: what is unknown of it is not asked for one by one. */
  bootstrap: boolean;
}

/** Of these the next account would fare no better. */
const ofAllAccounts: ReadonlySet<ProviderApiErrorCode> = new Set([
  'UNREACHABLE',
  'CREDENTIALS_REFUSED',
  'RATE_LIMITED',
  'CIRCUIT_OPEN',
  'CLOSED',
]);

/** @throws RunError where nothing can be compared now. What is wrong with one account is its `problem`. */
export async function walkAccount(account: string, context: WalkContext): Promise<Found> {
  try {
    return await walk(account, context);
  } catch (error) {
    const problem = problemOf(error);
    return { account, parent: '', servers: 0, known: 0, problem, candidates: [] };
  }
}

/** Why an account cannot be walked. Throws what is wrong with all of them. */
export function problemOf(error: unknown): string {
  if (error instanceof WalkError) return error.message;
  if (!(error instanceof ProviderApiError)) throw error;
  if (!ofAllAccounts.has(error.code)) return error.message;
  const code = error.code === 'CREDENTIALS_REFUSED' ? 'CREDENTIALS' : 'PROVIDER_UNAVAILABLE';
  throw new RunError(code, error.message, { cause: error });
}

async function walk(account: string, context: WalkContext): Promise<Found> {
  const { estate, known, roots } = context;
  const self = await estate.account(account);
  const candidates = await compareAccount(account, self, context);
  if (!self) {
    const problem = roots.includes(account) ? `the root account ${nameOf(account)} is not found` : '';
    return { account, parent: '', servers: 0, known: 0, problem, candidates: problem ? [] : candidates };
  }
  const sightings = await estate.servers(account);
  const servers = await known.all('servers', account);
  for (const [key, seen] of meet(servers, sightings)) {
    const candidate = await look('servers', account, key, { seen, known: servers, context });
    if (candidate) candidates.push(candidate);
  }
  const alive = [...servers.values()].filter(({ deleted }) => !deleted).length;
  return { account, parent: self.parent, servers: sightings.length, known: alive, problem: '', candidates };
}

async function compareAccount(
  account: string,
  self: Sighting | undefined,
  { known }: WalkContext,
): Promise<Candidate[]> {
  const key = nameOf(account);
  const entity = (await known.these('accounts', account, [key])).get(key);
  return judge(entity, self) === 'same' ? [] : [candidateOf('accounts', key, key, self)];
}

/** Everything that either side knows, by its key. */
function meet(known: KnownEntities, sightings: readonly Sighting[]): Map<string, Sighting | undefined> {
  const all = new Map<string, Sighting | undefined>([...known.keys()].map((key) => [key, undefined]));
  for (const sighting of sightings) all.set(sighting.key, sighting);
  return all;
}

interface Met {
  seen: Sighting | undefined;
  known: KnownEntities;
  context: WalkContext;
}

/** The walk took its time, and a server that moves may have been passed by: what differs is looked at by itself. */
async function look(
  table: EntityTable,
  account: string,
  key: string,
  { seen, known, context }: Met,
): Promise<Candidate | undefined> {
  const entity = known.get(key);
  const judgement = judge(entity, seen);
  if (judgement === 'same') return undefined;
  const id = seen?.id ?? entity!.subject;
  if (judgement === 'unknown' && context.bootstrap) return candidateOf(table, key, id, seen);
  const fresh = await context.estate.server(account, id);
  return judge(entity, fresh) === 'same' ? undefined : candidateOf(table, key, id, fresh);
}

function candidateOf(table: EntityTable, key: string, id: string, seen: Sighting | undefined): Candidate {
  return { table, key, id, ...(seen && { seen }) };
}
