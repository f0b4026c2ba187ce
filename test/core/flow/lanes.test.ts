/** What a lane must be: its beginning, its producers, its controls, its time. */
import { describe, expect, test } from 'vitest';
import { step } from '../../../services/core/flow/flow.ts';
import { versionOf } from '../../../services/core/flow/ids.ts';
import { createState, metaOf } from '../../../services/core/flow/state.ts';
import { summarize } from '../../../services/core/flow/summary.ts';
import { accountBody, boot, laneOf, serverBody, settingsDocument, startMs } from './lane.ts';

const hour = 3_600_000;
const other = 'b000000000000002';
const run = (lane: ReturnType<typeof laneOf>) => step(createState(), lane.records);
/** Of all controls but ticks. */
const remarks = (lane: ReturnType<typeof laneOf>) =>
  run(lane).outputs.flatMap((output) =>
    output.kind === 'control' && output.value.kind !== 'tick' ? [`${output.value.kind}: ${output.value.remark}`] : [],
  );

describe('the beginning', () => {
  test('without settings a lane is not worked on', () => {
    const lane = laneOf();
    expect(() => step(createState(), lane.records.slice(1))).toThrow(
      expect.objectContaining({ code: 'GENESIS_MISSING' }),
    );
  });

  test('a lane never goes back', () => {
    const { records } = laneOf();
    const { state } = step(createState(), records);
    expect(() => step(state, records)).toThrow(expect.objectContaining({ code: 'POSITION_PASSED' }));
  });
});

describe('settings', () => {
  const document = (servers: number) =>
    JSON.stringify({ ...settingsDocument, rules: { 'account-created-then-servers': { servers, within_ms: hour } } });

  test('take effect when they name those in force; a stale or second first one is ignored and said so', () => {
    const lane = laneOf();
    const genesis = lane.records[0]!.record.value as { id: string };
    const next = lane.control({ kind: 'settings', predecessor: genesis.id, document: document(2) });
    lane.control({ kind: 'settings', predecessor: genesis.id, document: document(3) });
    lane.control({ kind: 'settings', predecessor: '', document: document(4) });
    const { state } = run(lane);
    expect(state.settings.get('', '')?.rules['account-created-then-servers'].servers).toBe(2);
    const id = (next.record.value as { id: string }).id;
    expect(remarks(lane).slice(3)).toEqual([
      `settings: ignored: it replaces settings ${genesis.id}, but ${id} are in force`,
      `settings: ignored: it replaces settings of an empty lane, but ${id} are in force`,
    ]);
  });

  test.each([
    ['{}'],
    ['[]'],
    ['null'],
    [JSON.stringify({ ...settingsDocument, slack_ms: null })],
    [JSON.stringify({ ...settingsDocument, slack_ms: 1e300 })],
    [JSON.stringify({ ...settingsDocument, lateness_ms: -1 })],
    [JSON.stringify({ ...settingsDocument, rules: {} })],
  ])('a document that lacks what the flow needs is ignored, and time goes on: %s', (document) => {
    const lane = laneOf();
    const genesis = lane.records[0]!.record.value as { id: string };
    lane.control({ kind: 'settings', predecessor: genesis.id, document });
    lane.tick(60_000);
    const { state } = run(lane);
    expect(remarks(lane).at(-1)).toMatch(/^settings: ignored: /);
    expect(metaOf(state).watermark).toBe(startMs + 58_000);
  });

  test('a broken document leaves those in force, and the lane goes on', () => {
    const lane = laneOf();
    const genesis = lane.records[0]!.record.value as { id: string };
    lane.control({ kind: 'settings', predecessor: genesis.id, document: '{' });
    lane.post('Account.Created', accountBody('NEW'), 0);
    expect(remarks(lane).at(-1)).toMatch(/^settings: ignored: /);
    expect(summarize(run(lane).state).ledger.events).toBe(1);
  });
});

test('a control that is asked for twice takes effect once', () => {
  const lane = laneOf();
  lane.control({ kind: 'judgement', idempotency_id: 'ask-1' });
  lane.control({ kind: 'judgement', idempotency_id: 'ask-1' });
  expect(remarks(lane).slice(2)).toEqual([
    'judgement: ignored: this version does not know judgement records',
    'judgement: ignored: it was asked for before',
  ]);
});

describe('producers', () => {
  test('what comes after a gap changes nothing until the gap is filled; others go on', () => {
    const lane = laneOf();
    lane.control({ kind: 'boot', boot: other, seq: 0, edge: 'edge-2' });
    lane.post('Account.Created', accountBody('EARLY'), 1000, { boot: other, seq: 2 });
    lane.post('Account.Created', accountBody('NEXT'), 1000);
    const before = run(lane);
    expect(summarize(before.state)).toMatchObject({ producersBehind: 1, ledger: { journaled: 1 } });
    lane.post('Account.Created', accountBody('FILLS'), 1000, { boot: other, seq: 1 });
    lane.post('Account.Created', accountBody('EARLY'), 1000, { boot: other, seq: 2 });
    const after = run(lane);
    expect(summarize(after.state)).toMatchObject({ producersBehind: 0, ledger: { journaled: 3 } });
  });

  test('the watermark is held by the slowest producer, for a minute', () => {
    const lane = laneOf();
    lane.control({ kind: 'boot', boot: other, seq: 0, edge: 'edge-2' });
    const watermark = (atMs: number) => {
      lane.tick(atMs);
      return metaOf(run(lane).state).watermark - startMs;
    };
    expect(watermark(10_000)).toBe(-2_000);
    expect(watermark(60_000)).toBe(-2_000);
    expect(watermark(60_001)).toBe(58_001);
  });

  test('a boot closes the earlier boots of its edge, though it cannot name them, and they are forgotten in the end', () => {
    const lane = laneOf();
    lane.control({ kind: 'boot', boot: other, seq: 0, edge: 'edge-1', received_at: startMs + 1000 });
    lane.control({ kind: 'tick', boot: other, seq: 1, received_at: startMs + 20_000, time: startMs + 20_000 });
    expect(metaOf(run(lane).state).watermark).toBe(startMs + 18_000);
    const later = startMs + 8 * 24 * hour;
    lane.control({ kind: 'tick', boot: other, seq: 2, received_at: later, time: later });
    expect(run(lane).state.producers.size).toBe(1);
  });

  test('a boot closes its predecessor, which holds nothing any more', () => {
    const lane = laneOf();
    lane.control({ kind: 'boot', boot: other, seq: 0, edge: 'edge-1', predecessor: boot, received_at: startMs + 1000 });
    lane.control({ kind: 'tick', boot: other, seq: 1, received_at: startMs + 20_000, time: startMs + 20_000 });
    expect(metaOf(run(lane).state).watermark).toBe(startMs + 18_000);
  });
});

describe('time', () => {
  test('a tick leaves a row, before what follows from it', () => {
    const lane = laneOf();
    lane.post('Server.Created', serverBody('ACME', 'S1', 0), 0);
    const { position } = lane.tick(60_000);
    const { outputs } = run(lane);
    expect(outputs.slice(4, 6)).toMatchObject([
      { kind: 'control', value: { kind: 'tick', position, version: versionOf(1, 1), remark: '' } },
      { kind: 'pane', value: { position } },
    ]);
  });

  test('idle entries end and what they emitted stays', () => {
    const lane = laneOf();
    lane.post('Server.Created', serverBody('ACME', 'S1', 0), 0);
    lane.post('Server.Deleted', { accountAlias: 'ACME', name: 'S1' }, 1000);
    lane.tick(10_000);
    expect(run(lane).state.servers.size).toBe(1);
    // Endpoints are remembered for longest.
    lane.tick(30 * 24 * hour);
    const { state, outputs } = run(lane);
    const sizes = [state.servers, state.creations, state.panes, state.expiries].map((table) => table.size);
    expect(sizes).toEqual([0, 0, 0, 0]);
    expect(outputs.some(({ kind, value }) => kind === 'pane' && value.withdrawn)).toBe(false);
  });

  test('what is later than the lateness is kept and counted, and amends nothing', () => {
    const lane = laneOf();
    lane.tick(72 * hour);
    lane.post('Server.Created', serverBody('ACME', 'S1', 0), 0);
    lane.tick(72 * hour + 1000);
    const { outputs: all, state } = run(lane);
    const outputs = all.filter(({ kind }) => kind !== 'coverage');
    expect(outputs.at(-2)).toMatchObject({ kind: 'event', value: { flags: ['too_late'] } });
    expect(outputs.at(-1)).toMatchObject({ kind: 'control', value: { kind: 'tick' } });
    expect(summarize(state).ledger.events).toBe(1);
  });
});
