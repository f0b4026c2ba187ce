import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import pino from 'pino';
import { describe, expect, test, vi } from 'vitest';
import {
  controlsOf,
  createFaultyLog,
  createTestTime,
  deliveriesOf,
  expectGapless,
  prepareEdge,
  startTestEdge,
  tenant,
} from './fixture.ts';

/** Waits until `count` appends have been handed to the log; the first opens the boot. */
const appends = (edge: { log: { batches: readonly unknown[] } }, count: number) =>
  vi.waitFor(() => expect(edge.log.batches).toHaveLength(count));

describe('a 2xx means the delivery is on disk', () => {
  test('nothing is answered before the append has resolved', async () => {
    const edge = await startTestEdge();
    edge.log.hold();
    let answered = false;
    const posting = edge.post().finally(() => {
      answered = true;
    });
    await appends(edge, 2);
    // A round trip on another connection: whatever could be answered has been.
    await fetch(`${edge.url}/healthz`);
    expect(answered).toBe(false);
    expect(deliveriesOf(await edge.log.records())).toEqual([]);
    edge.log.release();
    const answer = await posting;
    expect(answer.status).toBe(202);
    const [delivery] = deliveriesOf(await edge.log.records());
    expect(await answer.json()).toEqual({ id: delivery!.id });
  });

  test('what arrives during an append shares the next one, in order of arrival', async () => {
    const edge = await startTestEdge();
    edge.log.hold();
    const first = edge.post({ body: '0' });
    await appends(edge, 2);
    const others: Promise<Response>[] = [];
    for (let i = 1; i <= 5; i++) {
      others.push(edge.post({ body: String(i) }));
      await vi.waitFor(async () => expect(await edge.observations('hookwatch_edge_verification_seconds')).toBe(i + 1));
    }
    edge.log.release();
    await Promise.all([first, ...others]);
    expect(edge.log.batches.map((batch) => batch.length)).toEqual([2, 1, 5]);
    const records = await edge.log.records();
    expectGapless(records);
    expect(
      deliveriesOf(records)
        .map(({ body }) => body.toString())
        .join(''),
    ).toBe('012345');
  });

  test('a batch is bounded in bytes', async () => {
    const edge = await startTestEdge({ limits: { batchBytesMax: 3000 } });
    edge.log.hold();
    const posts = [edge.post()];
    await appends(edge, 2);
    for (let i = 0; i < 7; i++) posts.push(edge.post({ body: 'x'.repeat(300) }));
    await vi.waitFor(async () => expect(await edge.metric('hookwatch_edge_pending_bytes')).toBeGreaterThan(6000));
    edge.log.release();
    await Promise.all(posts);
    expect(edge.log.batches.map((batch) => batch.length)).toEqual([2, 1, 3, 3, 1]);
  });
});

describe('an append that fails', () => {
  test.each([{ landed: false }, { landed: true }])(
    'refuses its deliveries and starts a new boot ($landed)',
    async ({ landed }) => {
      const edge = await startTestEdge();
      expect((await edge.post({ body: 'before' })).status).toBe(202);
      edge.log.fail(1, landed);
      const refused = await edge.post({ body: 'during' });
      expect(refused.status).toBe(503);
      expect(refused.headers.get('retry-after')).toBe('1');
      expect(await refused.json()).toMatchObject({ error: 'journal append failed' });
      expect(await (await fetch(`${edge.url}/readyz`)).json()).toMatchObject({
        status: 'not ready',
        reasons: ['journal append failed'],
      });
      expect((await edge.post({ body: 'after' })).status).toBe(202);
      expect((await fetch(`${edge.url}/readyz`)).status).toBe(200);

      const records = await edge.log.records();
      expectGapless(records);
      expect(deliveriesOf(records).map(({ body }) => body.toString())).toEqual(
        landed ? ['before', 'during', 'after'] : ['before', 'after'],
      );
      const boots = controlsOf(records).filter(({ kind }) => kind === 'boot');
      expect(boots).toMatchObject([
        { edge: 'edge-1', predecessor: '', seq: 1 },
        { edge: 'edge-1', predecessor: boots[0]!.boot, seq: 0 },
      ]);
      expect(boots[1]!.boot).not.toBe(boots[0]!.boot);
      expect(await edge.ledger()).toEqual({ requests: 3, journaled: 2, refused: { journal_failed: 1 }, inFlight: 0 });
    },
  );

  test('while opening a boot leaves no trace in the chain of boots, unless it landed', async () => {
    const edge = await startTestEdge();
    edge.log.fail(3);
    for (let i = 0; i < 3; i++) expect((await edge.post()).status).toBe(503);
    edge.log.fail(1, true);
    expect((await edge.post()).status).toBe(503);
    expect((await edge.post()).status).toBe(202);
    const records = await edge.log.records();
    expectGapless(records);
    const boots = controlsOf(records).filter(({ kind }) => kind === 'boot');
    expect(boots).toHaveLength(3);
    expect(boots.map(({ predecessor }) => predecessor)).toEqual(['', boots[0]!.boot, boots[1]!.boot]);
  });

  test('opens the new boot in every lane before anything else', async () => {
    const edge = await startTestEdge({ tenants: [tenant(), tenant({ name: 'contoso', endpoints: [] })] });
    edge.log.fail(1);
    expect((await edge.post()).status).toBe(503);
    expect((await edge.post()).status).toBe(202);
    const opened = (await edge.log.records())
      .slice(4)
      .map(({ kind, value }) => [kind, (value as { tenant: string }).tenant, (value as { seq: number }).seq]);
    expect(opened).toEqual([
      ['control', 'northwind', 0],
      ['control', 'contoso', 0],
      ['delivery', 'northwind', 1],
    ]);
  });

  test('is tried again where the journal cannot even be looked at', async () => {
    const edge = await startTestEdge();
    edge.log.fail(1);
    expect((await edge.post()).status).toBe(503);
    edge.log.failBounds(1);
    expect((await edge.post()).status).toBe(503);
    expect((await edge.post()).status).toBe(202);
    expectGapless(await edge.log.records());
  });

  test('keeps the edge from starting, and says why', async () => {
    const log = createFaultyLog();
    log.fail(1);
    const { edge } = await prepareEdge({ log });
    await expect(edge.start()).rejects.toThrow('disk I/O error');
  });
});

describe('a commit that takes longer than a second', () => {
  test('is answered 503 at the deadline; the delivery stays, counted apart', async () => {
    const time = createTestTime();
    const edge = await startTestEdge({ time, limits: { sweepIntervalMs: 5 } });
    edge.log.hold();
    const posting = edge.post();
    await appends(edge, 2);
    time.pass(1000);
    await fetch(`${edge.url}/healthz`);
    expect(await edge.ledger()).toMatchObject({ requests: 1, inFlight: 1 });
    time.pass(1);
    const answer = await posting;
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await answer.json()).toMatchObject({ error: 'journal commit is slow' });

    const readyz = await fetch(`${edge.url}/readyz`);
    expect([readyz.status, await readyz.json()]).toMatchObject([
      503,
      { status: 'not ready', reasons: ['journal commit is slow'] },
    ]);
    expect((await edge.post()).status).toBe(503);
    expect(edge.log.batches).toHaveLength(2);

    edge.log.release();
    await vi.waitFor(async () => expect(await edge.metric('hookwatch_edge_journaled_after_refusal_total')).toBe(1));
    expect((await fetch(`${edge.url}/readyz`)).status).toBe(200);
    expect((await edge.post()).status).toBe(202);
    expect(deliveriesOf(await edge.log.records())).toHaveLength(2);
    expect(await edge.ledger()).toEqual({ requests: 3, journaled: 1, refused: { commit_slow: 2 }, inFlight: 0 });
  });

  test('that fails in the end is not answered twice', async () => {
    const time = createTestTime();
    const edge = await startTestEdge({ time, limits: { sweepIntervalMs: 5 } });
    edge.log.hold();
    edge.log.fail(1);
    const posting = edge.post();
    await appends(edge, 2);
    time.pass(1001);
    expect((await posting).status).toBe(503);
    edge.log.release();
    await vi.waitFor(async () => expect((await edge.post()).status).toBe(202));
    expect(await edge.ledger()).toMatchObject({ journaled: 1, refused: { commit_slow: expect.any(Number) } });
    expect(await edge.metric('hookwatch_edge_journaled_after_refusal_total')).toBe(0);
  });

  test('refuses what waits behind it too, and journals it later', async () => {
    const time = createTestTime();
    const edge = await startTestEdge({ time, limits: { sweepIntervalMs: 5 } });
    edge.log.hold();
    const first = edge.post({ body: 'first' });
    await appends(edge, 2);
    const second = edge.post({ body: 'second' });
    await vi.waitFor(async () => expect(await edge.metric('hookwatch_edge_pending_bytes')).toBeGreaterThan(1000));
    time.pass(1001);
    expect([(await first).status, (await second).status]).toEqual([503, 503]);
    edge.log.release();
    await vi.waitFor(async () => expect(await edge.metric('hookwatch_edge_journaled_after_refusal_total')).toBe(2));
    expectGapless(await edge.log.records());
  });
});

describe('bounds', () => {
  test('bytes that are not on disk yet: above them deliveries are answered 503', async () => {
    const edge = await startTestEdge({ limits: { pendingBytesMax: 3000 } });
    edge.log.hold();
    const posting = edge.post({ body: 'x'.repeat(2000) });
    await appends(edge, 2);
    const answer = await edge.post({ body: 'x'.repeat(2000) });
    expect([answer.status, await answer.json()]).toMatchObject([503, { error: 'journal is full' }]);
    edge.log.release();
    expect((await posting).status).toBe(202);
    expect((await edge.post({ body: 'x'.repeat(2000) })).status).toBe(202);
    expect((await edge.ledger()).refused).toEqual({ journal_full: 1 });
  });

  test('bytes on disk: at the high-water mark deliveries are answered 503, until there is room again', async () => {
    let bytes = 1000;
    const edge = await startTestEdge({ journalBytes: () => bytes, journalBytesMax: 1000 });
    const sample = () => fetch(`${edge.url}/metrics`).then((answer) => answer.text());
    const statuses: number[] = [];
    for (bytes of [1000, 1001, 951, 950, 949, 1000]) {
      expect(await sample()).toContain(`hookwatch_edge_journal_bytes{service="edge"} ${bytes}`);
      statuses.push((await edge.post()).status);
    }
    expect(statuses).toEqual([202, 503, 503, 503, 202, 202]);
    bytes = 2000;
    expect(await sample()).toContain('hookwatch_edge_ready{service="edge"} 0');
    expect(await (await fetch(`${edge.url}/readyz`)).json()).toMatchObject({ reasons: ['journal is full'] });
    expect((await edge.ledger()).refused).toEqual({ journal_full: 3 });
  });
});

describe('what lasts is logged at once and then once a minute', () => {
  async function startLoggedEdge() {
    const lines: { level: number; msg: string }[] = [];
    const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const time = createTestTime();
    const edge = await startTestEdge({ time, logger, limits: { sweepIntervalMs: 5 } });
    return { edge, time, count: (words: string) => lines.filter(({ msg }) => msg.startsWith(words)).length };
  }

  test('a full disk: appends that fail, and a state that cannot be saved', async () => {
    const { edge, time, count } = await startLoggedEdge();
    rmSync(dirname(edge.stateFile), { recursive: true });
    const troubles = () => [count('Cannot append to the journal'), count('Cannot save the state')];
    edge.log.fail(1000);
    // The second failed append is the first to come upon a boot that has to be opened.
    for (let n = 0; n < 4; n++) await edge.post();
    expect(troubles()).toEqual([1, 1]);
    time.pass(59_999);
    await edge.post();
    expect(troubles()).toEqual([1, 1]);
    time.pass(1);
    await edge.post();
    expect(troubles()).toEqual([2, 2]);
    edge.log.fail(0);
    for (let n = 0; n < 2; n++) expect((await edge.post()).status).toBe(202);
    expect(count('The journal takes records again')).toBe(1);
  });

  test('a disk that fails now and then says so once a minute, not each time', async () => {
    const { edge, count } = await startLoggedEdge();
    for (let n = 0; n < 5; n++) {
      edge.log.fail(1);
      expect((await edge.post()).status).toBe(503);
      expect((await edge.post()).status).toBe(202);
    }
    expect([count('Cannot append to the journal'), count('The journal takes records again')]).toEqual([1, 1]);
  });

  test('a commit that hangs', async () => {
    const { edge, time, count } = await startLoggedEdge();
    edge.log.hold();
    const posting = edge.post();
    await expect.poll(() => edge.log.batches.length).toBe(2);
    for (let minute = 1; minute <= 3; minute++) {
      time.pass(60_000);
      await expect.poll(() => count('The commit to the journal is slow')).toBe(minute);
    }
    edge.log.release();
    expect((await posting).status).toBe(503);
    await expect.poll(() => count('The commit to the journal has ended')).toBe(1);
  });
});
