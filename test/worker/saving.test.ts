import { expect, onTestFinished, test, vi } from 'vitest';
import { createMemoryCheckpoints } from '../../services/ports/checkpoints/memory.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { createRegistry, workerMetrics } from '../../services/telemetry.ts';
import type { Lane } from '../../services/worker/lane.ts';
import { createSaving } from '../../services/worker/saving.ts';
import { logger } from './installation.ts';

/** A clock that stands still unless a checkpoint takes its time. */
function start({ intervalMs = 5_000 } = {}) {
  let nowMs = 1_000_000;
  const now = vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  onTestFinished(() => now.mockRestore());
  const saves: { tenant: string; atMs: number; final: boolean }[] = [];
  const laneOf = (tenant: string, parts: { tookMs?: number; claimed?: boolean } = {}) => {
    const lane: Pick<Lane, 'tenant' | 'claimed' | 'handover' | 'checkpoint'> = {
      tenant,
      claimed: parts.claimed ?? true,
      handover: undefined,
      async checkpoint(final) {
        saves.push({ tenant, atMs: nowMs - 1_000_000, final });
        nowMs += parts.tookMs ?? 0;
        return 1;
      },
    };
    return lane as Lane & { handover: Lane['handover'] };
  };
  const saving = createSaving({
    records: createMemoryLog(),
    checkpoints: createMemoryCheckpoints(),
    metrics: workerMetrics(createRegistry('test')),
    logger,
    intervalMs,
  });
  const ended: string[] = [];
  /** Gives lanes a turn every so often, for a while. */
  const pass = async (lanes: readonly Lane[], forMs: number, everyMs = 500) => {
    for (const untilMs = nowMs + forMs; nowMs < untilMs; nowMs += everyMs) {
      saving.begin(lanes, ({ tenant }) => ended.push(tenant));
      await new Promise(setImmediate);
    }
  };
  return { laneOf, saving, saves, pass, ended };
}

const timesOf = (saves: readonly { tenant: string; atMs: number }[], tenant: string) =>
  saves.filter((save) => save.tenant === tenant).map(({ atMs }) => atMs);

test('a lane is saved once per interval, one that nothing says belongs to its flow at once', async () => {
  const { laneOf, saves, pass } = start();
  await pass([laneOf('acme'), laneOf('bolt', { claimed: false })], 12_000);
  expect(timesOf(saves, 'acme')).toEqual([5_000, 10_000]);
  expect(timesOf(saves, 'bolt')).toEqual([0, 5_000, 10_000]);
});

test('writing takes a tenth of the time and no more, and holds up no other lane', async () => {
  const { laneOf, saves, pass } = start();
  await pass([laneOf('huge', { tookMs: 2_000 }), laneOf('acme')], 60_000);
  expect(timesOf(saves, 'huge')).toEqual([5_000, 27_000, 49_000]);
  expect(timesOf(saves, 'acme').length).toBeGreaterThan(9);
});

test('a lane at its end is saved for good at once, and then left', async () => {
  const { laneOf, saves, pass, ended } = start();
  const lane = laneOf('acme');
  await pass([lane], 1_000);
  expect(saves).toEqual([]);
  Object.assign(lane, { handover: { position: 7, flow: 'b' } });
  await pass([lane], 1_000);
  expect(saves).toEqual([{ tenant: 'acme', atMs: 1_000, final: true }]);
  expect(ended).toEqual(['acme']);
});

test('a lane at its end that cannot be saved is tried again in its turn', async () => {
  const { laneOf, pass, ended, saving } = start();
  const lane = Object.assign(laneOf('acme'), { handover: { position: 7, flow: 'b' } });
  const save = lane.checkpoint;
  let attempts = 0;
  lane.checkpoint = (final) => (attempts++ === 0 ? Promise.reject(new Error('disk full')) : save(final));
  await pass([lane], 5_000);
  expect({ attempts, ended, troubles: saving.troubles() }).toEqual({
    attempts: 1,
    ended: [],
    troubles: ['lane acme: its last checkpoint failed: disk full'],
  });
  await pass([lane], 1_000);
  expect({ attempts, ended, troubles: saving.troubles() }).toEqual({ attempts: 2, ended: ['acme'], troubles: [] });
});
