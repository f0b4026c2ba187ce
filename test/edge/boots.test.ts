import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decode, encode } from '../../services/core/records/codec.ts';
import { controlRecord } from '../../services/edge/producer.ts';
import { readState } from '../../services/edge/state.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import {
  controlsOf,
  createFaultyLog,
  createTestTime,
  endpoint,
  expectGapless,
  type FaultyLog,
  prepareEdge,
  startTestEdge,
  temporaryFolder,
  tenant,
  token,
} from './fixture.ts';
import { damagedLog } from './forwarder/fixture.ts';

const summaries = async (log: FaultyLog) =>
  controlsOf(await log.records()).map(({ tenant: lane, seq, kind, predecessor }) => ({ lane, seq, kind, predecessor }));

describe('a lane', () => {
  test('begins with its settings, then the boot', async () => {
    const edge = await startTestEdge();
    const [settings, boot] = controlsOf(await edge.log.records());
    expect(settings).toMatchObject({ kind: 'settings', seq: 0, predecessor: '', edge: '', time: null });
    expect(boot).toMatchObject({ kind: 'boot', seq: 1, predecessor: '', edge: 'edge-1', boot: settings!.boot });
    expect(boot!.boot).toMatch(/^[0-9a-f]{16}$/);
    expect(JSON.parse(settings!.document)).toEqual({
      roots: ['centurylink:NWND'],
      endpoints: [
        { name: 'server-created', provider: 'centurylink', event: 'Server.Created', account: 'NWND', recursive: true },
      ],
      rules: { 'account-created-then-servers': { servers: 5, within_ms: 3_600_000 } },
      time: { past_ms: 3_600_000, future_ms: 60_000 },
      slack_ms: 2000,
      lateness_ms: 172_800_000,
      accounts: [],
      twin_ms: 600_000,
      replay_ms: 604_800_000,
      pending_max: 10_000,
    });
  });

  test('never holds a token or its hash', async () => {
    const plain = endpoint({ token });
    const edge = await startTestEdge({ tenants: [tenant({ endpoints: [plain] })] });
    await edge.post();
    for (const { frame } of edge.log.batches.flat()) {
      const text = Buffer.from(frame).toString('latin1');
      expect(text).not.toContain(token);
      expect(text).not.toContain(plain.tokenSha256);
    }
  });

  test('is opened before the ports are', async () => {
    const log = createFaultyLog();
    log.hold();
    const { edge } = await prepareEdge({ log });
    let started = false;
    const starting = edge.start().then(() => {
      started = true;
    });
    await expect.poll(() => log.batches.length).toBe(1);
    expect(started).toBe(false);
    expect((await edge.app.request('/readyz')).status).toBe(503);
    log.release();
    await starting;
    expect((await edge.app.request('/readyz')).status).toBe(200);
  });
});

describe('an edge that starts again', () => {
  const contoso = tenant({ name: 'contoso', endpoints: [] });

  /** Starts and stops an edge for each list of tenants, over the same journal and state. */
  async function runs(log: FaultyLog, stateFile: string, ...starts: (typeof contoso)[][]) {
    for (const tenants of starts) {
      const edge = await startTestEdge({ log, stateFile, tenants });
      await edge.stop();
    }
  }

  test('names its previous boot in every lane; a lane that is new gets its settings', async () => {
    const log = createFaultyLog();
    await runs(log, join(temporaryFolder(), 'state.json'), [tenant()], [tenant(), contoso], [tenant(), contoso]);
    const boots = controlsOf(await log.records());
    const bootsOf = (name: string) =>
      boots.filter(({ kind, tenant: lane }) => kind === 'boot' && lane === name).map(({ boot }) => boot);
    const [first, second] = bootsOf('northwind');
    const [ofContoso] = bootsOf('contoso');
    expect(await summaries(log)).toEqual([
      { lane: 'northwind', seq: 0, kind: 'settings', predecessor: '' },
      { lane: 'northwind', seq: 1, kind: 'boot', predecessor: '' },
      { lane: 'northwind', seq: 0, kind: 'boot', predecessor: first },
      { lane: 'contoso', seq: 0, kind: 'settings', predecessor: '' },
      { lane: 'contoso', seq: 1, kind: 'boot', predecessor: '' },
      { lane: 'northwind', seq: 0, kind: 'boot', predecessor: second },
      { lane: 'contoso', seq: 0, kind: 'boot', predecessor: ofContoso },
    ]);
    expect(first).not.toBe(ofContoso);
    expectGapless(await log.records());
  });

  test('names the last boot that wrote to the lane, also when the tenant was away meanwhile', async () => {
    const log = createFaultyLog();
    await runs(log, join(temporaryFolder(), 'state.json'), [tenant(), contoso], [tenant()], [tenant(), contoso]);
    const boots = controlsOf(await log.records()).filter(({ kind }) => kind === 'boot');
    const ofContoso = boots.filter(({ tenant: lane }) => lane === 'contoso');
    expect(ofContoso[1]!.predecessor).toBe(ofContoso[0]!.boot);
  });

  test('passes over a boot whose opening never reached the journal', async () => {
    const log = createFaultyLog();
    const stateFile = join(temporaryFolder(), 'state.json');
    await runs(log, stateFile, [tenant()]);
    log.fail(1);
    const { edge } = await prepareEdge({ log, stateFile });
    await expect(edge.start()).rejects.toThrow();
    await runs(log, stateFile, [tenant()]);
    const boots = controlsOf(await log.records()).filter(({ kind }) => kind === 'boot');
    expect(boots.map(({ predecessor }) => predecessor)).toEqual(['', boots[0]!.boot]);
  });

  test.each([
    { what: 'lost', damage: undefined },
    { what: 'damaged', damage: '{"lanes":' },
    { what: 'of another shape', damage: '[]' },
  ])('begins anew when its state was $what', async ({ damage }) => {
    const log = createFaultyLog();
    const folder = temporaryFolder();
    await runs(log, join(folder, 'one.json'), [tenant()]);
    const stateFile = join(folder, 'two.json');
    if (damage !== undefined) writeFileSync(stateFile, damage);
    await runs(log, stateFile, [tenant()]);
    expect((await summaries(log)).map(({ seq, kind }) => `${seq} ${kind}`)).toEqual([
      '0 settings',
      '1 boot',
      '0 settings',
      '1 boot',
    ]);
  });

  test('writes the settings again when the journal was lost and the state was not', async () => {
    const stateFile = join(temporaryFolder(), 'state.json');
    await runs(createFaultyLog(), stateFile, [tenant()], [tenant()]);
    const log = createFaultyLog();
    await runs(log, stateFile, [tenant()]);
    expect((await summaries(log)).map(({ kind, predecessor }) => `${kind} ${predecessor}`)).toEqual([
      'settings ',
      'boot ',
    ]);
  });

  test.each([
    { what: 'the last record of the journal', log: createFaultyLog() },
    { what: 'the last that can be read', log: createFaultyLog(damagedLog(createMemoryLog(), [[1, 2]])) },
  ])('never stamps below $what', async ({ log }) => {
    const stamp = Date.UTC(2030, 0, 1);
    const place = { boot: 'f'.repeat(16), seq: 0, id: 'x' };
    const frame = encode('control', controlRecord('northwind', place, stamp, 'tick', { time: stamp }));
    for (let count = 0; count < 2; count++) await log.append([{ key: 'northwind', frame }]);
    const edge = await startTestEdge({ log, time: createTestTime(Date.UTC(2026, 0, 1)) });
    expect((await edge.post()).status).toBe(202);
    const written = (await log.read(2, { records: 9, bytes: 1e9 })).map((record) => decode(record.frame).value);
    expect(written).toMatchObject(Array(3).fill({ received_at: stamp }));
  });
});

test('a state that cannot be saved keeps no delivery out', async () => {
  const folder = temporaryFolder();
  const stateFile = join(folder, 'state.json');
  const edge = await startTestEdge({ stateFile });
  expect(Object.keys((await readState(stateFile, () => {})).opening?.lanes ?? {})).toEqual(['northwind']);
  // The folder gone, a new boot cannot be remembered.
  rmSync(folder, { recursive: true });
  edge.log.fail(1);
  expect((await edge.post()).status).toBe(503);
  expect((await edge.post()).status).toBe(202);
});
