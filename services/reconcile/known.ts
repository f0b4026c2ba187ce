/** What the lane's state knows, asked of the worker that works on it: /lanes/<tenant>/accounts and /entities. */
import { z } from 'zod';
import type { EntityTable } from './estate.ts';
import { RunError } from './run-error.ts';

/** An entity as the state has it. Times in epoch milliseconds; null where no body said so. */
const entitySchema = z.object({
  key: z.string(),
  subject: z.string(),
  modifiedAt: z.number().nullable(),
  createdAt: z.number().nullable(),
  deleted: z.boolean(),
  /** Of the newest snapshot; empty where none was seen. */
  digest: z.string(),
});
const entitiesSchema = z.object({ position: z.number(), entities: z.array(entitySchema), next: z.string().nullable() });
const accountsSchema = z.object({ position: z.number(), accounts: z.array(z.string()), pending: z.array(z.string()) });

export type KnownEntity = z.infer<typeof entitySchema>;
export type KnownEntities = ReadonlyMap<string, KnownEntity>;

export interface Known {
  /** Accounts of which anything is known, and those whose deliveries wait to be told whose they are. */
  accounts(provider: string): Promise<{ accounts: string[]; pending: string[] }>;
  /** All of a table, by key; not of one moment. */
  all(table: EntityTable, account: string): Promise<KnownEntities>;
  /** These of a table, as they are now. */
  these(table: EntityTable, account: string, keys: readonly string[]): Promise<KnownEntities>;
}

/** So many names fit into a URL. */
const keysPerCall = 100;

/** `lanesUrls`: whoever may work on the lane. Every method rejects with a RunError where nobody does. */
export function createKnown(tenant: string, lanesUrls: readonly string[]): Known {
  /** Of those that answer, the one that has come further: another may still hold a lane that it has lost. */
  async function ask<T extends { position: number }>(path: string, schema: z.ZodType<T>): Promise<T> {
    const answers = await Promise.allSettled(lanesUrls.map((url) => get(`${url}/lanes/${tenant}/${path}`, schema)));
    const told = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    const best = told.sort((a, b) => b.position - a.position)[0];
    if (best) return best;
    const failed = answers.find((answer) => answer.status === 'rejected');
    throw new RunError('LANE_UNREACHABLE', `Cannot ask lane ${tenant} what it knows: ${failed?.reason?.message}`, {
      cause: failed?.reason,
    });
  }

  const entities = async (query: Record<string, string>) =>
    ask(`entities?${new URLSearchParams(query)}`, entitiesSchema);

  return {
    async accounts(provider) {
      const { accounts, pending } = await ask(`accounts?${new URLSearchParams({ provider })}`, accountsSchema);
      return { accounts, pending };
    },
    async all(table, account) {
      const found = new Map<string, KnownEntity>();
      for (let after: string | null = ''; after !== null; ) {
        const page: z.infer<typeof entitiesSchema> = await entities({ table, account, after });
        for (const entity of page.entities) found.set(entity.key, entity);
        after = page.next;
      }
      return found;
    },
    async these(table, account, keys) {
      const found = new Map<string, KnownEntity>();
      for (let from = 0; from < keys.length; from += keysPerCall) {
        const page = await entities({ table, account, keys: keys.slice(from, from + keysPerCall).join(',') });
        for (const entity of page.entities) found.set(entity.key, entity);
      }
      return found;
    },
  };
}

async function get<T>(url: string, schema: z.ZodType<T>): Promise<T> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`${new URL(url).origin} answered ${answer.status}`);
  return schema.parse(await answer.json());
}
