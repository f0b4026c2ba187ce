import { expect, test, vi } from 'vitest';
import {
  controlsOf,
  createTestTime,
  deliveriesOf,
  type EdgeFields,
  expectGapless,
  startTestEdge,
  tenant,
} from './fixture.ts';

const contoso = tenant({ name: 'contoso', endpoints: [] });

async function tickingEdge(fields: EdgeFields = {}) {
  const time = createTestTime();
  const edge = await startTestEdge({ time, tenants: [tenant(), contoso], limits: { sweepIntervalMs: 5 }, ...fields });
  const ticks = async () => controlsOf(await edge.log.records()).filter(({ kind }) => kind === 'tick');
  const lanes = async () => (await ticks()).map((tick) => tick.tenant);
  /** A second passes; resolves once `count` ticks are in the journal. */
  const second = async (count: number) => {
    time.pass(1000);
    edge.tick();
    await expect.poll(async () => (await ticks()).length).toBe(count);
  };
  return { time, edge, ticks, lanes, second };
}

test('every second where deliveries came in within the last ten, every ten seconds elsewhere', async () => {
  const { edge, second, lanes } = await tickingEdge();
  await second(2);
  await edge.post();
  for (let i = 1; i <= 9; i++) await second(2 + i);
  expect(await lanes()).toEqual(['northwind', 'contoso', ...Array(9).fill('northwind')]);
  await second(2 + 9 + 2);
  // Ten seconds after its last delivery the lane is idle: its next tick comes ten seconds after this one.
  for (let i = 1; i <= 9; i++) await second(13);
  await second(15);
});

test('the time of a tick lies between the stamps before and after it', async () => {
  const { edge, second, time } = await tickingEdge();
  await edge.post();
  for (let i = 0; i < 5; i++) {
    time.jump([0, -3000, 2000, 0, 500][i]!);
    await edge.post();
    await second(2 + i);
    await edge.post();
  }
  const records = await edge.log.records();
  expectGapless(records);
  for (const { received_at, time: reached } of controlsOf(records).filter(({ kind }) => kind === 'tick')) {
    expect(reached).toBe(received_at);
  }
});

test('a clock that is suspect writes none, flags deliveries, alarms, and recovers', async () => {
  const { edge, second, time, ticks } = await tickingEdge();
  await second(2);
  time.jump(3_600_000);
  for (let i = 0; i < 15; i++) await second(2);
  expect((await edge.post()).status).toBe(202);
  expect(await edge.metric('hookwatch_edge_clock_suspect')).toBe(1);
  expect((await fetch(`${edge.url}/readyz`)).status).toBe(200);
  time.pass(60_000);
  await second(4);
  expect((await edge.post()).status).toBe(202);
  expect(deliveriesOf(await edge.log.records()).map(({ flags }) => flags)).toEqual([['clock_suspect'], []]);
  expect(await edge.metric('hookwatch_edge_clock_suspect')).toBe(0);
  const times = (await ticks()).map((tick) => tick.time!);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(await edge.metricBy('hookwatch_edge_controls_total', 'kind')).toEqual({ tick: 4 });
});

test('ticks of a lane that what is journaled reaches late say so', async () => {
  const late = new Set(['contoso']);
  const { edge, second, ticks } = await tickingEdge({ catchingUp: (lane) => late.has(lane) });
  await second(2);
  await edge.post();
  late.clear();
  for (let i = 1; i <= 10; i++) await second(i < 10 ? 2 + i : 13);
  const ofContoso = (await ticks()).filter((tick) => tick.tenant === 'contoso');
  expect(ofContoso.map((tick) => tick.catching_up)).toEqual([true, false]);
  expect((await ticks()).filter((tick) => tick.catching_up)).toHaveLength(1);
});

test('a stalled journal does not gather ticks, before its commit is called slow nor after', async () => {
  const { edge, time, lanes } = await tickingEdge();
  await edge.post();
  edge.log.hold();
  for (let i = 0; i < 10; i++) {
    time.pass(90);
    edge.tick();
  }
  await vi.waitFor(() => expect(edge.log.batches).toHaveLength(3));
  time.pass(1001);
  await vi.waitFor(async () => expect((await fetch(`${edge.url}/readyz`)).status).toBe(503));
  for (let i = 0; i < 10; i++) {
    time.pass(10_000);
    edge.tick();
  }
  edge.log.release();
  await edge.stop();
  expect(await lanes()).toEqual(['northwind', 'contoso']);
});
