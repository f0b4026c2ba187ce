/** That others can read along: with programs that nobody here wrote. */
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import kafkajs, { type KafkaMessage } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createConsole } from '../../services/console/console.ts';
import { decode, kindOf, schemaIdOf } from '../../services/core/records/codec.ts';
import type { NewRecord } from '../../services/ports/log/log.ts';
import { createMergedLog } from '../../services/ports/log/merged.ts';
import { createClickHouseWarehouse } from '../../services/ports/warehouse/clickhouse.ts';
import { storeRows } from '../../services/ports/warehouse/refusals.ts';
import { eventId, frame, makeEvent } from '../console/fixtures.ts';
import { readMessages } from '../console/sse.ts';
import { passwords, startEngineProcess } from '../ports/warehouse/engine-process.ts';
import { fillTopics, type Topics } from './topics.ts';

// As docs/kafka.md tells readers to do.
const [compress, decompress] = [zstdCompress, zstdDecompress].map((call) => promisify(call));
kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
  compress: ({ buffer }: { buffer: Buffer }) => compress!(buffer),
  decompress: (buffer: Buffer) => decompress!(buffer),
});

let topics: Topics;
beforeAll(async () => {
  topics = await fillTopics();
});
afterAll(() => topics?.dispose());

type Consumed = KafkaMessage & { topic: string; partition: number };

/** All that is in all topics, by a consumer that knows nothing of us. */
async function consumeAll(): Promise<Consumed[]> {
  const { Kafka, logLevel } = kafkajs;
  const client = new Kafka({ brokers: [...topics.broker.bootstrap], logLevel: logLevel.NOTHING });
  const consumer = client.consumer({ groupId: 'somebody' });
  await consumer.connect();
  onTestFinished(() => consumer.disconnect());
  await consumer.subscribe({ topics: [...topics.records.keys()], fromBeginning: true });
  const consumed: Consumed[] = [];
  const wanted = [...topics.records.values()].reduce((sum, { length }) => sum + length, 0);
  const { promise, resolve } = Promise.withResolvers<void>();
  await consumer.run({
    async eachMessage({ topic, partition, message }) {
      consumed.push({ ...message, topic, partition });
      if (consumed.length === wanted) resolve();
    },
  });
  await promise;
  return consumed;
}

const textsOf = (headers: KafkaMessage['headers']) =>
  Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]));

test('@kafkajs/confluent-schema-registry decodes every record of every topic', async () => {
  const registry = new SchemaRegistry({ host: topics.registryUrl });
  const consumed = await consumeAll();
  expect(topics.records.size).toBe(16);
  expect(new Set(consumed.map(({ partition }) => partition)).size).toBe(3);
  for (const [topic, written] of topics.records) {
    const found = consumed.filter((message) => message.topic === topic);
    const sent = new Map(written.map((record) => [Buffer.from(record.frame).toString('hex'), record]));
    expect({ topic, found: found.length }).toEqual({ topic, found: written.length });
    for (const { key, value, headers, partition } of found) {
      const record = sent.get(value!.toString('hex'))!;
      expect({ ...(await registry.decode(value!)) }).toEqual({ ...decode(record.frame).value });
      expect(textsOf(headers)).toEqual(record.headers ?? {});
      expect([String(key), partition]).toEqual([record.key, topics.lanes.partitionOf(record.key)]);
    }
  }
});

test('it finds the newest schema of a topic by the subject’s name', async () => {
  const registry = new SchemaRegistry({ host: topics.registryUrl });
  for (const [topic, [record]] of topics.records) {
    const id = await registry.getLatestSchemaId(`${topic}-value`);
    if (topic === 'hookwatch.records') expect(['delivery', 'control']).toContain(kindOf(id));
    else expect(id).toBe(schemaIdOf(record!.frame));
  }
  await expect(registry.getLatestSchemaId('hookwatch.nothing-value')).rejects.toMatchObject({ status: 404 });
});

describe('Kafka’s console consumer', () => {
  test.each(['hookwatch.records', 'hookwatch.events', 'hookwatch.rejects'])(
    'shows keys and headers of %s',
    async (topic) => {
      const written = topics.records.get(topic)!;
      const printed = await topics.broker.tool(
        'org.apache.kafka.tools.consumer.ConsoleConsumer',
        ...['--bootstrap-server', topics.broker.bootstrap.join(), '--topic', topic, '--from-beginning'],
        ...['--max-messages', `${written.length}`],
        ...['headers', 'key'].flatMap((what) => ['--formatter-property', `print.${what}=true`]),
        ...['--formatter-property', 'print.value=false'],
      );
      expect(printed.trimEnd().split('\n').sort()).toEqual(written.map(lineOf).sort());
    },
  );

  const lineOf = ({ key, headers = {} }: NewRecord) => {
    const pairs = Object.entries(headers).map(([name, value]) => `${name}:${value}`);
    return `${pairs.join()}\t${key}`;
  };
});

test('ClickHouse’s own ENGINE = Kafka fills the very table that the sink fills', async () => {
  const engine = await startEngineProcess();
  const warehouse = createClickHouseWarehouse({
    url: engine.url,
    username: 'hookwatch',
    password: passwords.hookwatch,
    // Time stands still in the lanes: their rows must not be too old, whenever this runs.
    ttlDays: { deliveries: 10_000, facts: 10_000 },
  });
  onTestFinished(async () => {
    await warehouse.close();
    await engine.dispose();
  });
  await warehouse.migrate();
  const events = topics.records.get('hookwatch.events')!;
  await storeRows(warehouse, events, Date.now);

  const columns = await warehouse.query<{ name: string; type: string }>(
    "SELECT name, type FROM system.columns WHERE database = 'hookwatch' AND table = 'events_rows' ORDER BY position",
  );
  const names = columns.map(({ name }) => name).join(', ');
  await warehouse.run('CREATE DATABASE reader');
  await warehouse.run('CREATE TABLE reader.events AS hookwatch.events_rows');
  await warehouse.run(`CREATE TABLE reader.queue (${columns.map(({ name, type }) => `${name} ${type}`).join(', ')})
    ENGINE = Kafka SETTINGS kafka_broker_list = '${topics.broker.bootstrap.join()}',
    kafka_topic_list = 'hookwatch.events', kafka_group_name = 'clickhouse', kafka_format = 'AvroConfluent',
    format_avro_schema_registry_url = '${topics.registryUrl}'`);
  await warehouse.run(`CREATE MATERIALIZED VIEW reader.pump TO reader.events AS SELECT ${names} FROM reader.queue`);

  const sumOf = async (table: string) =>
    (await warehouse.query(`SELECT count() AS rows, groupBitXor(cityHash64(${names})) AS sum FROM ${table} FINAL`))[0];
  const expected = await sumOf('hookwatch.events_rows');
  expect(Number(expected!.rows)).toBe(events.length);
  await expect.poll(() => sumOf('reader.events'), { timeout: 60_000, interval: 200 }).toEqual(expected);
});

test('our own console is one more reader: each sees everything, and what comes later', async () => {
  const { lanes, records } = topics;
  const logs = [0, 1, 2].flatMap((partition) => lanes.outputLogs(partition)).map(({ log }) => log);
  const streams = [1, 2].map(async () => {
    const console = createConsole({
      outputs: createMergedLog(logs, { startedAtMs: Date.now(), backlogRecords: 1_000 }),
    });
    onTestFinished(() => console.stop());
    await console.start();
    return readMessages(await console.app.request('/live', { headers: { Host: 'localhost' } }));
  });
  const [one, other] = await Promise.all(streams);
  for (const stream of [one!, other!]) {
    const { totals } = (await stream.next())!.changes;
    expect([totals.events, totals.rejects]).toEqual(
      ['hookwatch.events', 'hookwatch.rejects'].map((topic) => records.get(topic)!.length),
    );
  }
  const later = frame('event', makeEvent({ seq: 1 }));
  const [events] = lanes.outputLogs(lanes.partitionOf(later.key), ['event']);
  await events!.log.append([later]);
  for (const stream of [one!, other!]) {
    expect((await stream.next())?.changes.rows).toMatchObject([{ id: eventId(1), tenant: later.key }]);
  }
});
