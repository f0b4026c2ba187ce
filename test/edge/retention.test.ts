import { expect, test } from 'vitest';
import { encode } from '../../services/core/records/codec.ts';
import { trimJournal } from '../../services/edge/retention.ts';
import { createMemoryCheckpoints } from '../../services/ports/checkpoints/memory.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { deliveryOf, startMs } from '../core/flow/lane.ts';

const second = 1000;

/** Ten records, a second apart; `covered` are the lanes' checkpoints. Returns the first position that is left. */
async function trimmed(retentionMs: number, covered: Record<string, number>): Promise<number> {
  const log = createMemoryLog();
  const frames = Array.from({ length: 10 }, (_, n) =>
    encode('delivery', deliveryOf({ seq: n, received_at: startMs + n * second })),
  );
  await log.append(frames.map((frame, n) => ({ key: n % 2 === 0 ? 'acme' : 'bolt', frame })));
  const checkpoints = createMemoryCheckpoints();
  for (const [lane, position] of Object.entries(covered)) {
    if (position >= 0) await checkpoints.save(lane, { position, recordId: 'x' }, (async function* () {})());
  }
  await trimJournal({ log, checkpoints, lanes: Object.keys(covered), retentionMs, nowMs: startMs + 9 * second });
  return (await log.bounds()).first;
}

test.each<[name: string, retentionMs: number, covered: Record<string, number>, first: number]>([
  ['what is young stays, though covered', 60 * second, { acme: 8, bolt: 9 }, 0],
  ['what is old and covered goes', 3 * second, { acme: 8, bolt: 9 }, 6],
  ['what one lane has not covered stays', 0, { acme: 2, bolt: 9 }, 3],
  ['what a lane without a checkpoint needs stays', 0, { acme: -1, bolt: 9 }, 0],
  ['the newest record may go as well', -1, { acme: 9, bolt: 9 }, 10],
])('%s', async (_name, retentionMs, covered, first) => {
  expect(await trimmed(retentionMs, covered)).toBe(first);
});

test('an empty journal stays as it is', async () => {
  const log = createMemoryLog();
  await trimJournal({ log, checkpoints: createMemoryCheckpoints(), lanes: ['acme'], retentionMs: 0, nowMs: startMs });
  expect(await log.bounds()).toEqual({ first: 0, next: 0 });
});
