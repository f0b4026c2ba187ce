import { pino } from 'pino';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { topicsCommand } from '../../../services/commands/topics/command.ts';
import { outputKinds } from '../../../services/core/records/codec.ts';
import { connectKafka } from '../../../services/ports/log/kafka.ts';
import { checkTopics, type TopicSettings } from '../../../services/ports/log/topics.ts';
import { startKafka, type TestKafka } from '../../kafka/broker.ts';

let broker: TestKafka;
beforeAll(async () => {
  broker = await startKafka();
});
afterAll(() => broker?.dispose());

const connect = (brokers = broker.bootstrap) =>
  connectKafka({ brokers, clientId: 'test', tls: false }, pino({ level: 'silent' }));

function settings(fields: Partial<TopicSettings>): TopicSettings {
  return {
    prefix: 'hookwatch',
    partitions: 4,
    replication: 1,
    minInSyncReplicas: 1,
    recordsRetentionMs: 3_600_000,
    outputsRetentionMs: 1_800_000,
    ...fields,
  };
}

async function run(wanted: TopicSettings, args: string[] = [], kafka = connect()) {
  const lines: string[] = [];
  const out = { write: (text: string) => void lines.push(text.trimEnd()) };
  const code = await topicsCommand(args, async () => ({ kafka, settings: wanted, out }));
  return { code, lines };
}

async function check(wanted: TopicSettings): Promise<void> {
  const kafka = connect();
  await checkTopics(kafka.admin, wanted).finally(() => kafka.close());
}

test('topics are planned, created and then as they should be', async () => {
  const wanted = settings({ prefix: 'created' });
  await expect(check(wanted)).rejects.toThrow('created.records is not there: run hookwatch topics --apply');
  const plan = await run(wanted);
  expect(plan.code).toBe(1);
  const topics = outputKinds.length + 3;
  expect(plan.lines).toHaveLength(topics + 1);
  expect(plan.lines[0]).toMatch(/^create created.records: 4 partitions, 1 replicas, .*retention.ms=3600000/);
  expect(plan.lines.at(-1)).toBe('to do this: hookwatch topics --apply');
  expect(await run(wanted, ['--apply'])).toEqual({ code: 0, lines: [...plan.lines.slice(0, -1), 'done'] });
  await check(wanted);
  expect(await run(wanted)).toEqual({ code: 0, lines: [`nothing to do: ${topics} topics are as they should be`] });
});

test('records have the time of Kafka, whatever that of whoever writes them is', async () => {
  const wanted = settings({ prefix: 'dated' });
  expect((await run(wanted, ['--apply'])).code).toBe(0);
  const kafka = connect();
  const log = kafka.log('dated.records', 0);
  const startedAt = Date.now();
  const clock = vi.spyOn(Date, 'now');
  onTestFinished(() => void clock.mockRestore());
  for (const hours of [2, -8 * 24]) {
    clock.mockReturnValue(startedAt + hours * 3_600_000);
    await log.append([{ key: 'acme', frame: Buffer.from('x') }]);
  }
  clock.mockRestore();
  await kafka.close();
  const options = ['--from-beginning', '--max-messages', '2', '--topic', 'dated.records', '--bootstrap-server'];
  const consumer = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
  const formatter = ['--formatter-property', 'print.timestamp=true'];
  const printed = await broker.tool(consumer, ...options, broker.bootstrap[0]!, ...formatter);
  const times = [...printed.matchAll(/LogAppendTime:(\d+)/g)].map(([, time]) => Number(time));
  expect(times).toHaveLength(2);
  for (const time of times) expect(Math.abs(time - startedAt)).toBeLessThan(3_600_000);
});

test('settings are changed, and what somebody else has set stays', async () => {
  const wanted = settings({ prefix: 'changed' });
  expect((await run(wanted, ['--apply'])).code).toBe(0);
  const kafka = connect();
  await kafka.admin.configure('changed.events', { 'retention.ms': '1', 'retention.bytes': '123456789' });
  await vi.waitFor(async () => expect((await run(wanted)).code).toBe(1), { timeout: 20_000 });
  const line = 'change changed.events: retention.ms from 1 to 1800000';
  expect(await run(wanted, ['--apply'])).toEqual({ code: 0, lines: [line, 'done'] });
  const events = (await kafka.admin.describe(['changed.events'])).get('changed.events');
  expect(events?.config).toMatchObject({ 'retention.ms': '1800000', 'retention.bytes': '123456789' });
  await kafka.close();
});

test('another number of partitions is refused, and nothing is done', async () => {
  expect((await run(settings({ prefix: 'fixed' }), ['--apply'])).code).toBe(0);
  const more = settings({ prefix: 'fixed', partitions: 8, recordsRetentionMs: 7_200_000 });
  const { code, lines } = await run(more, ['--apply']);
  expect(code).toBe(1);
  expect(lines.at(-1)).toMatch(/^cannot change fixed.progress has 4 partitions, not 8: that cannot be changed/);
  await expect(check(more)).rejects.toThrow('fixed.records has 4 partitions, not 8');
  expect((await run(settings({ prefix: 'fixed' }))).code).toBe(0);
});

test('Kafka that is not reached is said', async () => {
  const { code, lines } = await run(settings({}), [], connect(['127.0.0.1:1']));
  expect({ code, lines }).toEqual({ code: 1, lines: [expect.stringMatching(/^failed: Kafka: .*ECONNREFUSED/)] });
});
