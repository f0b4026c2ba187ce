import { expect, test, vi } from 'vitest';
import { loadConfig } from '../services/config.ts';
import type { KafkaLanes } from '../services/kafka-lanes.ts';
import { addressesOf, runKafkaEdge } from '../services/kafka-parts.ts';
import { startProcess } from '../services/kafka-process.ts';
import { LogUnavailableError } from '../services/ports/log/log.ts';
import { wantedTopics } from '../services/ports/log/topics.ts';
import { createRegistry } from '../services/telemetry.ts';

const config = loadConfig({
  HOOKWATCH_CONFIG: new URL('../hookwatch.yaml', import.meta.url).pathname,
  HOOKWATCH_KAFKA_BROKERS: 'nowhere:9092',
  HOOKWATCH_WORKER_PORT: '0',
});
const kafka = config.kafka!;

/** A process whose topics are what `describe` says. */
async function start(describe: () => Promise<unknown>) {
  const calls: string[] = [];
  const process = await startProcess({
    name: 'worker',
    config,
    kafka,
    lanes: { kafka: { admin: { describe } }, close: async () => {} } as unknown as KafkaLanes,
    registry: createRegistry('test'),
    async run() {
      calls.push('run');
      await new Promise(() => {});
    },
    async stop() {
      calls.push('stop');
    },
    troubles: () => [],
  });
  const readiness = async () => (await fetch(`${process.urls.worker}/readyz`)).text();
  return { process, calls, readiness };
}

test('a process works once its topics are right, and ends its work when it is closed', async () => {
  const { process, calls, readiness } = await start(async () => wantedTopics(kafka));
  await vi.waitFor(async () => expect(await readiness()).toBe('ready\n'));
  await process.close();
  expect(calls).toEqual(['run', 'stop']);
});

test('while Kafka is away it says so, and waits', async () => {
  const { process, calls, readiness } = await start(() => Promise.reject(new LogUnavailableError('Kafka: no broker')));
  await vi.waitFor(async () => expect(await readiness()).toBe('worker: Kafka: Kafka: no broker\n'));
  await process.close();
  expect(calls).toEqual([]);
});

test('closed while its topics are looked at, it begins nothing', async () => {
  const answer = Promise.withResolvers<unknown>();
  const { process, calls } = await start(() => answer.promise);
  const closed = process.close();
  answer.resolve(wantedTopics(kafka));
  await closed;
  // Whatever would begin has had its turn.
  await new Promise((resolve) => setTimeout(resolve));
  expect(calls).toEqual([]);
});

test('topics that are wrong end it, and it says what to do', async () => {
  const { process } = await start(async () => new Map());
  await expect(process.failed).rejects.toThrow('hookwatch.records is not there: run hookwatch topics --apply');
  await process.close();
});

test.each([
  ['http://127.0.0.1:8082', ['http://127.0.0.1:8082']],
  ['http://[::1]:8082', ['http://[::1]:8082']],
])('processes can be asked at %s', async (url, addresses) => {
  expect(await addressesOf([url])).toEqual(addresses);
});

test('a host that cannot be found is named', async () => {
  await expect(addressesOf(['http://nowhere.invalid:8082'])).rejects.toThrow(
    /^Cannot find http:\/\/nowhere.invalid:8082/,
  );
});

test('an edge over Kafka needs a name of its own', async () => {
  await expect(runKafkaEdge(config)).rejects.toThrow('set HOOKWATCH_EDGE_NAME');
});
