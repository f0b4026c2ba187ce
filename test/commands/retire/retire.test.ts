import { expect, test } from 'vitest';
import { retireCommand } from '../../../services/commands/retire/command.ts';
import { encode } from '../../../services/core/records/codec.ts';
import type { Control } from '../../../services/core/records/generated.ts';
import { controlOf } from '../../core/flow/lane.ts';
import { createTestTime } from '../../edge/fixture.ts';
import { startInstallation } from '../../installation.ts';

const minute = 60_000;
/** When the first edge starts, and stays. */
const startedAt = Date.UTC(2026, 0, 1);
const lost = 'b00000000000000a';

/** An installation in whose lane a second edge has written some of its records, at `atMs` after the first one's start. */
async function start({ seqs = [0, 1, 4], atMs = -2 * minute, edge = 'edge-2', boot = lost } = {}) {
  const installation = await startInstallation({ time: createTestTime(startedAt) });
  const write = (seq: number, parts: Partial<Control> = {}) => {
    const received_at = startedAt + atMs;
    const kind = seq === 0 ? 'boot' : 'judgement';
    const value = controlOf({
      tenant: 'northwind',
      boot,
      seq,
      kind,
      edge: seq === 0 ? edge : '',
      received_at,
      ...parts,
    });
    return installation.edge.log.append([{ key: 'northwind', frame: encode('control', value) }]);
  };
  for (const seq of seqs) await write(seq);
  const producer = () => installation.lane()?.producers?.find((candidate) => candidate.boot === boot);
  await expect.poll(() => producer()?.seenSeq).toBe(Math.max(...seqs));
  const lines: string[] = [];
  const out = { write: (text: string) => void lines.push(text) };
  const retire = (args: string[], more = {}) =>
    retireCommand(args, () => ({ ...installation.urls, tenants: ['northwind', 'acme'], out, error: out, ...more }));
  return { ...installation, write, producer, lines, retire };
}

const ours = ['--tenant', 'northwind'];

test('a silent edge is retired, what is missing is told as lost, and asking again changes nothing', async () => {
  const { retire, lines, producer, lane } = await start();
  expect(await retire(['--edge', 'edge-2', ...ours])).toBe(0);
  expect(lines).toEqual([
    `northwind: edge-2 (boot ${lost}) is retired; 3 of its records are known to be lost, and whatever it took after its record 4 and did not send\n`,
  ]);
  expect(producer()).toMatchObject({ retired: true, closed: true });
  expect(lane()).toMatchObject({ producersBehind: 0, retired: { lost: 3, recovered: 0 } });
  expect(await retire(['--edge', 'edge-2', ...ours])).toBe(0);
  expect(lines.at(-1)).toBe('Nothing of edge-2 is open or waited for.\n');
});

test('what its disk still sends is taken, and the loss shrinks', async () => {
  const { retire, write, lane } = await start();
  await retire(['--edge', 'edge-2', ...ours]);
  for (const seq of [3, 4, 2, 5]) await write(seq);
  await expect.poll(() => lane()?.retired).toEqual({ lost: 0, recovered: 4, dropped: 0 });
});

test('an edge that ticks is not retired, unless by force', async () => {
  const { retire, lines, producer } = await start({ atMs: -minute + 1 });
  expect(await retire(['--edge', 'edge-2', ...ours])).toBe(1);
  expect(lines).toEqual([expect.stringMatching(/^northwind: refused: edge-2 .*--force/)]);
  expect(producer()).toMatchObject({ retired: false });
  expect(await retire(['--edge', 'edge-2', '--force', ...ours])).toBe(0);
  expect(producer()).toMatchObject({ retired: true });
});

test('a start whose boot record is among the missing is named by its id', async () => {
  const { retire, lines } = await start({ seqs: [3] });
  expect(await retire(['--boot', lost, ...ours])).toBe(0);
  expect(lines).toEqual([expect.stringMatching(`^northwind: boot ${lost} is retired; 4 of its records`)]);
});

test('a start that its successor has closed is retired alone, while the successor is at work', async () => {
  const { retire, write, producer, lane } = await start();
  const successor = 'b00000000000000b';
  await write(0, { boot: successor, predecessor: lost, received_at: startedAt });
  await expect.poll(() => producer()?.closed).toBe(true);
  expect(await retire(['--edge', 'edge-2', ...ours])).toBe(1);
  expect(await retire(['--edge', 'edge-2', '--boot', lost, ...ours])).toBe(0);
  expect(producer()).toMatchObject({ retired: true, missing: 3 });
  expect(lane()?.producers?.find(({ boot }) => boot === successor)).toMatchObject({ closed: false, retired: false });
});

test('the edge that journals it cannot be retired, and the exit code says so', async () => {
  const { retire, lines, lane } = await start();
  const args = ['--edge', 'edge-1', '--force', ...ours];
  expect(await retire(args, { timeoutMs: 200 })).toBe(1);
  expect(lines).toEqual([expect.stringMatching(/^northwind: failed: gap .* is journaled but not in effect/)]);
  expect(lane()?.producers?.every(({ retired }) => !retired)).toBe(true);
});

test.each([
  {
    what: 'a name that no lane knows',
    args: ['--edge', 'edge-9', ...ours],
    code: 1,
    says: /open are starts of: edge-1, edge-2/,
  },
  { what: 'a lane that nobody works on', args: ['--edge', 'edge-2'], code: 1, says: /^acme: failed: nobody says/ },
  {
    what: 'a tenant that is not configured',
    args: ['--edge', 'edge-2', '--tenant', 'x'],
    code: 2,
    says: /northwind, acme/,
  },
  { what: 'no name', args: [], code: 2, says: /--edge NAME/ },
])('$what: exit code $code', async ({ args, code, says }) => {
  const { retire, lines } = await start();
  expect(await retire(args)).toBe(code);
  expect(lines[0]).toMatch(says);
});

test('without a running Hookwatch nothing is retired', async () => {
  const { retire, lines } = await start();
  expect(await retire(['--edge', 'edge-2'], { lanesUrls: ['http://127.0.0.1:1'] })).toBe(1);
  expect(lines).toEqual([expect.stringMatching(/^Cannot reach .*npm start/)]);
});
