import { once } from 'node:events';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { attacks } from './attacks.ts';
import { type EngineProcess, passwords, startEngineProcess } from './engine-process.ts';

/** A client, asked to run a statement: what it got, as text, or the message of its error. */
export type Ask = (sql: string) => Promise<{ answer: string } | { error: string }>;

/** An engine with something to steal, break and call. */
export interface Fortress {
  engine: EngineProcess;
  statements: readonly string[];
  /** Fails unless every statement was refused and nothing was read, changed, written or called. */
  assertHeld(outcomes: readonly ({ answer: string } | { error: string })[]): Promise<void>;
  dispose(): Promise<void>;
}

const secret = 'the-secret-in-the-file';

export async function buildFortress(): Promise<Fortress> {
  const folder = await mkdtemp(join(tmpdir(), 'hookwatch-fortress-'));
  const [file, out] = [join(folder, 'secret.csv'), join(folder, 'out')];
  await writeFile(file, `${secret}\n1\n`);
  let calls = 0;
  const canary = createServer((socket) => {
    calls++;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(canary, 'listening');
  const address = `127.0.0.1:${(canary.address() as AddressInfo).port}`;
  const engine = await startEngineProcess();
  const table = 'hookwatch.treasure';
  try {
    await command(engine, `CREATE TABLE ${table} (x String) ENGINE = MergeTree ORDER BY x`);
    await command(engine, `INSERT INTO ${table} VALUES ('kept')`);
  } catch (error) {
    await engine.dispose();
    throw error;
  }
  const words: Record<string, string> = { file, out, address, table, url: `http://${address}` };
  const statements = attacks.map((attack) => attack.replace(/\{(\w+)\}/g, (_, word: string) => words[word]!));
  return {
    engine,
    statements,
    async assertHeld(outcomes) {
      expect(outcomes).toHaveLength(statements.length);
      const succeeded = statements.filter((_, index) => 'answer' in outcomes[index]!);
      expect(succeeded).toEqual([]);
      expect(JSON.stringify(outcomes)).not.toContain(secret);
      expect(calls).toBe(0);
      await expect(access(out)).rejects.toMatchObject({ code: 'ENOENT' });
      expect(await command(engine, `SELECT groupArray(x) FROM ${table} FORMAT TSVRaw`)).toBe("['kept']\n");
      expect(await command(engine, "SELECT name FROM system.tables WHERE database = 'hookwatch' FORMAT TSVRaw")).toBe(
        'treasure\n',
      );
    },
    async dispose() {
      await engine.dispose();
      canary.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Runs a statement as the writer. */
export async function command(engine: EngineProcess, sql: string): Promise<string> {
  const authorization = `Basic ${Buffer.from(`hookwatch:${passwords.hookwatch}`).toString('base64')}`;
  const response = await fetch(engine.url, { method: 'POST', headers: { authorization }, body: sql });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}

/** The outcomes of all statements, one after the other. */
export async function attack(statements: readonly string[], ask: Ask) {
  const outcomes = [];
  for (const sql of statements) outcomes.push(await ask(sql));
  return outcomes;
}
