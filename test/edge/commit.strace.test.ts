import { spawn } from 'node:child_process';
import { sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { edgePidFile } from '../../services/supervisor/edge-pid.ts';
import { entry, environmentOf, temporaryFolder } from '../supervisor/installation.ts';
import { checkAnswers } from './commit-trace.ts';

/** Longer than a page of SQLite, so that no written byte is left out. */
const stringBytesMax = 70_000;
const calls = 'pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg';

test('the journal is synced before a delivery is answered 202', async () => {
  const edge = await traceEdge([entry, 'edge']);
  const ids: string[] = [];
  // An idle edge: each delivery has a commit of its own.
  for (let n = 0; n < 20; n++) ids.push(await edge.post(`alone ${n}`));
  for (let round = 0; round < 5; round++) {
    const bodies = Array.from({ length: 20 }, (_, n) => `together ${round} ${n}`);
    ids.push(...(await Promise.all(bodies.map(edge.post))));
  }
  const answers = checkAnswers(await edge.end());
  expect(answers.filter(({ fault }) => fault !== '')).toEqual([]);
  expect(answers.map(({ id }) => id).sort()).toEqual(ids.sort());
});

test('an edge that answers too early is found out', async () => {
  const edge = await traceEdge([join(import.meta.dirname, 'hasty-edge.ts')]);
  for (let n = 0; n < 10; n++) await edge.post(`hasty ${n}`);
  const faults = checkAnswers(await edge.end()).map(({ fault }) => fault);
  expect(faults).toHaveLength(10);
  expect(faults).toContain('it was answered before the sync returned');
});

interface TracedEdge {
  /** Posts a signed delivery; resolves with the id of its 202. */
  post(text: string): Promise<string>;
  /** Ends the edge; resolves with the trace. */
  end(): Promise<string>;
}

async function traceEdge(args: string[]): Promise<TracedEdge> {
  const folder = temporaryFolder();
  const trace = join(folder, 'trace');
  const options = ['--seccomp-bpf', '-f', '-y', '-x', '-s', `${stringBytesMax}`, '-e', `trace=${calls}`, '-o', trace];
  const strace = spawn('strace', [...options, process.execPath, ...args], {
    env: environmentOf(folder, { HOOKWATCH_LOG_LEVEL: 'warn' }),
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const ended = once(strace, 'exit');
  onTestFinished(async () => {
    // The whole group: what is traced outlives its tracer.
    if (strace.exitCode === null) process.kill(-strace.pid!, 'SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  const [url] = await Promise.race([once(createInterface({ input: strace.stdout! }), 'line'), ended]);
  if (typeof url !== 'string') throw new Error('Cannot trace an edge: it ended before it took deliveries');
  const key = readFileSync(join(folder, 'demo', 'private.pem'), 'utf8');
  return {
    async post(text) {
      const body = JSON.stringify({ accountAlias: 'NWND', userName: text });
      const signature = sign('sha1', Buffer.from(body), key).toString('base64');
      const headers = { 'content-type': 'application/json', 'tier3-rsasha1': signature };
      const response = await fetch(`${url}/in/demo-user-updated`, { method: 'POST', headers, body });
      expect(response.status).toBe(202);
      return ((await response.json()) as { id: string }).id;
    },
    async end() {
      process.kill(Number(readFileSync(edgePidFile(folder), 'utf8')), 'SIGTERM');
      expect(await ended).toEqual([0, null]);
      return readFileSync(trace, 'latin1');
    },
  };
}
