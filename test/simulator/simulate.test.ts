import { expect, test } from 'vitest';
import type { Clock } from '../../services/simulator/pacing.ts';
import { type Output, runSimulation } from '../../services/simulator/simulate.ts';
import { createKeys, startMs, startReceiver, tenantOf } from './fixtures.ts';

const keys = createKeys();

/** A minute passes as fast as it can be sent. */
function createFakeClock(): Clock {
  let nowMs = 0;
  return {
    now: () => nowMs,
    waitUntil: async (timeMs) => {
      await new Promise(setImmediate);
      nowMs = timeMs;
    },
  };
}

async function simulate(out: Output) {
  const receiver = await startReceiver();
  return runSimulation({
    baseUrl: receiver.url,
    tenant: tenantOf(),
    privateKeyPem: keys.privateKey,
    rate: 10,
    seconds: 60,
    seed: 3,
    startMs,
    out,
    clock: createFakeClock(),
  });
}

test('progress is one line on a terminal', async () => {
  const written: string[] = [];
  await simulate({ isTTY: true, write: (text) => written.push(text) });
  expect(written.pop()).toBe('\n');
  expect(written.length).toBeGreaterThan(50);
  expect(written.filter((text) => !text.startsWith('\r') || text.includes('\n'))).toEqual([]);
});

test('elsewhere progress is a line every ten seconds', async () => {
  const written: string[] = [];
  await simulate({ write: (text) => written.push(text) });
  expect(written.length).toBeGreaterThanOrEqual(4);
  expect(written.length).toBeLessThanOrEqual(6);
  for (const text of written) expect(text).toMatch(/^\d+ s: \d+ answered, \d+ with 202, \d+ in flight\n$/);
});

test('two runs with the same seed differ in their names only', async () => {
  const { counts, runTag } = await simulate({ write: () => {} });
  const again = await simulate({ write: () => {} });
  expect(again).toMatchObject({ runTag, counts: { sent: 600, accepted: 600, events: counts.events } });
});
