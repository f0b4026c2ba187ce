/** An edge whose lanes are in a real Kafka, which dies, or whose answers get lost. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { placeOf } from '../../../services/core/records/place.ts';
import { createSqliteLog } from '../../../services/ports/log/sqlite.ts';
import { startKafka } from '../../kafka/broker.ts';
import { openLanes } from '../../kafka/lanes.ts';
import { startRelay } from '../../kafka/relay.ts';
import { createFaultyLog, startTestEdge, temporaryFolder, tenant } from '../fixture.ts';
import { createTestWorker, eventually, recordsOf, startTestForwarder } from './fixture.ts';

/** An edge of one tenant over SQLite, forwarding into Kafka behind a relay, and a worker. */
async function startSystem() {
  const relay = await startRelay();
  onTestFinished(relay.close);
  const kafka = await startKafka({ config: { 'advertised.listeners': `PLAINTEXT://${relay.address}` } });
  onTestFinished(kafka.dispose);
  relay.target(kafka.bootstrap[0]!);
  const lanes = await openLanes({ bootstrap: [relay.address] });
  onTestFinished(lanes.close);

  const { name } = tenant();
  const log = createFaultyLog(
    createSqliteLog({ folder: join(temporaryFolder(), 'records'), segmentBytesMax: 1_000_000 }),
  );
  const progress = lanes.progress();
  const forwarder = await startTestForwarder({
    journal: { log },
    lane: () => lanes.records(0),
    progress,
    tenants: [name],
    limits: { batchRecordsMax: 5, pauseMsMax: 200, lookIntervalMs: 100 },
  });
  const edge = await startTestEdge({ log, catchingUp: forwarder.catchingUp });
  const worker = createTestWorker(lanes.records(0), progress, name);
  let posted = 0;
  return {
    relay,
    kafka,
    edge,
    forwarder,
    worker,
    async post(count: number) {
      for (let n = 0; n < count; n++) {
        const answer = await edge.post({ body: JSON.stringify({ name: `server ${posted++}` }) });
        expect(answer.status).toBe(202);
      }
    },
    /** All that was journaled has been worked on, in order and once, whatever came twice. */
    async expectArrived() {
      const ids = (await recordsOf(log)).map(({ frame }) => placeOf(frame).id);
      await eventually(async () => {
        await worker.work();
        expect(worker.taken()).toEqual(ids);
      });
      expect(worker.summary()).toMatchObject({ producersBehind: 0, ledger: { journaled: posted } });
    },
  };
}

test('while Kafka is dead deliveries are answered 202; when it is back all of them arrive, in order', async () => {
  const { kafka, edge, forwarder, post, expectArrived } = await startSystem();
  await post(20);
  await expectArrived();
  for (const round of [1, 2]) {
    const failures = await forwarder.metric('errors');
    await kafka.kill(1, 'SIGKILL');
    await post(20);
    await eventually(async () => {
      expect(await forwarder.metric('unforwardedRecords')).toBeGreaterThanOrEqual(20);
      expect(await forwarder.metric('errors')).toBeGreaterThan(failures + 3 * round);
    });
    expect((await fetch(`${edge.url}/readyz`)).status).toBe(200);
    await kafka.start(1);
    await post(5);
    await expectArrived();
  }
  await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(0));
});

test('answers that are lost after the write: what came twice has one effect', async () => {
  const { relay, forwarder, worker, post, expectArrived } = await startSystem();
  await post(5);
  await expectArrived();
  for (let n = 1; n <= 5; n++) {
    relay.cutProduced(1);
    await post(7);
    await eventually(() => expect(relay.cuts()).toBe(n));
  }
  await expectArrived();
  expect(worker.summary().repeats).toBeGreaterThanOrEqual(5);
  expect(await forwarder.metric('resent')).toBe(0);
});
