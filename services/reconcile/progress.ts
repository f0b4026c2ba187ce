/**
 * What a comparison has come to, in files: whoever was killed goes on where it stood.
 *
 *   reconcile/<tenant>-<provider>/memory.json            of the last complete comparison
 *                                 run/head.json          of the one under way
 *                                 run/<account>.found    what was found in an account: written once it was walked
 *                                 run/<account>.told     what became of it: written before it is told, and after
 *
 * Each file is written whole or not at all. A file that cannot be read costs one comparison, begun anew, and no wrong
 * claim: what is found is compared with the lane's state once more before it is told.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { replace } from '../secrets.ts';

const sightingSchema = z.object({
  table: z.enum(['accounts', 'servers']),
  account: z.string(),
  key: z.string(),
  id: z.string(),
  body: z.string(),
  digest: z.string(),
  createdAt: z.number().optional(),
  modifiedAt: z.number().optional(),
  parent: z.string(),
});

/** Something of an account that may have been missed. `seen` is what the API showed; absent where it showed nothing. */
const candidateSchema = z.object({
  table: z.enum(['accounts', 'servers']),
  key: z.string(),
  /** How the API is asked for it. */
  id: z.string(),
  seen: sightingSchema.optional(),
});

const foundSchema = z.object({
  account: z.string(),
  parent: z.string(),
  /** Servers that the API showed, and those that the lane held to be there. */
  servers: z.number(),
  known: z.number(),
  /** Why the account was not walked whole; empty where it was. */
  problem: z.string(),
  candidates: z.array(candidateSchema),
});

const toldSchema = z.object({
  /** False until all of it was told. */
  done: z.boolean(),
  /** What is told, by the ids of claims: what each counts as. */
  claims: z.record(z.string(), z.enum(['creations', 'changes', 'deletions', 'seen'])),
  /** Deleted by the lane, and shown by the API. */
  contradictions: z.number(),
  /** What changed while it was looked at. */
  unsettled: z.number(),
  /** Deletions that were not claimed, and what the edge would not take. */
  withheld: z.number(),
});

const headSchema = z.object({
  run: z.string(),
  startedAt: z.number(),
  scope: z.enum(['all', 'some']),
  /** Accounts to be walked; more come to it as they are found. */
  accounts: z.array(z.string()),
});

const memorySchema = z.object({
  /** When the last complete comparison began and ended, epoch milliseconds. */
  startedAt: z.number(),
  completedAt: z.number(),
  roots: z.array(z.string()),
});

export type Candidate = z.infer<typeof candidateSchema>;
export type Found = z.infer<typeof foundSchema>;
export type Told = z.infer<typeof toldSchema>;
export type Head = z.infer<typeof headSchema>;
export type Memory = z.infer<typeof memorySchema>;

export interface Progress {
  readonly folder: string;
  memory(): Memory | undefined;
  remember(memory: Memory): void;
  head(): Head | undefined;
  saveHead(head: Head): void;
  found(account: string): Found | undefined;
  saveFound(found: Found): void;
  told(account: string): Told | undefined;
  saveTold(account: string, told: Told): void;
  /** Forgets the run under way. */
  end(): void;
}

/** Of one tenant and provider. The folder is made when something is written. */
export function openProgress(dataFolder: string, tenant: string, provider: string): Progress {
  const folder = join(dataFolder, 'reconcile', `${tenant}-${provider}`);
  const run = join(folder, 'run');
  const fileOf = (account: string, ending: string) => join(run, `${encodeURIComponent(account)}.${ending}`);
  const save = (file: string, value: object) => replace(file, `${JSON.stringify(value)}\n`);
  return {
    folder,
    memory: () => read(join(folder, 'memory.json'), memorySchema),
    remember: (memory) => save(join(folder, 'memory.json'), memory),
    head: () => read(join(run, 'head.json'), headSchema),
    saveHead: (head) => save(join(run, 'head.json'), head),
    found: (account) => read(fileOf(account, 'found'), foundSchema),
    saveFound: (found) => save(fileOf(found.account, 'found'), found),
    told: (account) => read(fileOf(account, 'told'), toldSchema),
    saveTold: (account, told) => save(fileOf(account, 'told'), told),
    end() {
      // Without its head the rest is nothing: a crash in between leaves no half run.
      rmSync(join(run, 'head.json'), { force: true });
      rmSync(run, { recursive: true, force: true });
    },
  };
}

/** For a comparison that tells nobody: reads the memory, and keeps the rest to itself. */
export function trialProgress(real: Progress): Progress {
  const found = new Map<string, Found>();
  const told = new Map<string, Told>();
  let head: Head | undefined;
  return {
    folder: real.folder,
    memory: real.memory,
    remember() {},
    head: () => head,
    saveHead(value) {
      head = value;
    },
    found: (account) => found.get(account),
    saveFound: (value) => found.set(value.account, value),
    told: (account) => told.get(account),
    saveTold: (account, value) => told.set(account, value),
    end() {},
  };
}

function read<T>(file: string, schema: z.ZodType<T>): T | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}
