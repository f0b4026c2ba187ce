/**
 * What a lane's state knows of accounts and servers, for whoever compares it with a provider's API: names, times and
 * digests of snapshots; the snapshots themselves stay here. And what it may have missed, for people.
 *
 *   GET /lanes/<tenant>/report                                            see LaneReport
 *   GET /lanes/<tenant>/accounts?provider=P                               { position, accounts, pending }
 *   GET /lanes/<tenant>/entities?table=T&account=P:A[&after=K][&keys=K,K]  { position, entities, next }
 *
 * 404 where this worker does not work on the lane. A page of entities takes a few milliseconds, so that no lane stalls;
 * `next` is what to ask for `after`. Pages of one table are not of one moment: what is found by them is to be looked at
 * again by its key.
 */
import { Hono } from 'hono';
import { z } from 'zod';
import { awaitedAccounts } from '../core/flow/pending.ts';
import { reportLane } from '../core/flow/report.ts';
import type { EntityState, FlowState } from '../core/flow/state.ts';
import { metaOf } from '../core/flow/state.ts';
import { digestOf } from '../snapshot-digest.ts';

/** An entity as the state has it. Times in epoch milliseconds; null where no body said so. */
export interface KnownEntity {
  key: string;
  subject: string;
  modifiedAt: number | null;
  createdAt: number | null;
  deleted: boolean;
  /** Of the newest snapshot; empty where none was seen. */
  digest: string;
}

const pageEntities = 100;
/** Of each part of a report. */
const reportRowsMax = 200;

const accountsQuery = z.object({ provider: z.string().min(1) });
const entitiesQuery = z.object({
  table: z.enum(['accounts', 'servers']),
  account: z.string().min(1),
  after: z.string().optional(),
  keys: z
    .string()
    .transform((text) => text.split(',').slice(0, pageEntities))
    .optional(),
});

/** `stateOf` gives the state of a lane that is worked on here. It is read at once and not kept. */
export function createKnowledge(stateOf: (tenant: string) => FlowState | undefined): Hono {
  const app = new Hono();
  app.get('/lanes/:tenant/report', (c) => {
    const state = stateOf(c.req.param('tenant'));
    if (!state) return c.json({ error: 'the lane is not worked on here' }, 404);
    return c.json(reportLane(state, reportRowsMax));
  });
  app.get('/lanes/:tenant/accounts', (c) => {
    const state = stateOf(c.req.param('tenant'));
    if (!state) return c.json({ error: 'the lane is not worked on here' }, 404);
    const query = accountsQuery.safeParse(c.req.query());
    if (!query.success) return c.json({ error: z.prettifyError(query.error) }, 400);
    return c.json({ position: metaOf(state).position, ...accountsOf(state, `${query.data.provider}:`) });
  });
  app.get('/lanes/:tenant/entities', (c) => {
    const state = stateOf(c.req.param('tenant'));
    if (!state) return c.json({ error: 'the lane is not worked on here' }, 404);
    const query = entitiesQuery.safeParse(c.req.query());
    if (!query.success) return c.json({ error: z.prettifyError(query.error) }, 400);
    return c.json({ position: metaOf(state).position, ...entitiesOf(state, query.data) });
  });
  return app;
}

/** Accounts of which anything is known, and those from which deliveries wait to be told whose they are. */
function accountsOf(state: FlowState, prefix: string): { accounts: string[]; pending: string[] } {
  const known = [state.accounts, state.users, state.servers].flatMap((table) => table.sortedGroups());
  const ofProvider = (names: Iterable<string>) => [...new Set(names)].filter((name) => name.startsWith(prefix)).sort();
  return { accounts: ofProvider(known), pending: ofProvider(awaitedAccounts(state)) };
}

function entitiesOf(
  state: FlowState,
  { table, account, after = '', keys }: z.infer<typeof entitiesQuery>,
): { entities: KnownEntity[]; next: string | null } {
  const group = state[table].group(account);
  const wanted = keys ?? [...group.keys()].filter((key) => key > after).sort();
  const page = wanted.slice(0, pageEntities);
  const entities = page.flatMap((key) => {
    const entity = group.get(key);
    return entity ? [describe(account, key, entity)] : [];
  });
  return { entities, next: wanted.length > page.length ? page.at(-1)! : null };
}

function describe(account: string, key: string, entity: EntityState): KnownEntity {
  const { subject, modifiedAt, createdAt, deleted, data } = entity;
  const provider = account.slice(0, account.indexOf(':'));
  return { key, subject, modifiedAt, createdAt, deleted, digest: data === '' ? '' : digestOf(provider, data) };
}
