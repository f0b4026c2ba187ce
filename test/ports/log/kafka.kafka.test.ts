import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { connectKafka, type Kafka } from '../../../services/ports/log/kafka.ts';
import { kafkaBatchBytesMax, kafkaMessageBytesMax } from '../../../services/ports/log/kafka-log.ts';
import type { Log, NewRecord } from '../../../services/ports/log/log.ts';
import { startKafka, type TestKafka } from '../../kafka/broker.ts';
import { logContract } from './contract.ts';

const ample = { records: 10_000, bytes: 100_000_000 };
const patience = { timeout: 60_000, interval: 20 };
const memberProgram = fileURLToPath(new URL('../../kafka/member.ts', import.meta.url));

let broker: TestKafka;
let kafka: Kafka;
const warnings: Error[] = [];
process.on('warning', (warning) => warnings.push(warning));
beforeAll(async () => {
  broker = await startKafka();
  kafka = connect();
});
afterAll(async () => {
  await kafka?.close();
  await broker?.dispose();
});

function connect(
  settings: { clientId?: string; requestTimeoutMs?: number } = {},
  logger = pino({ level: 'silent' }),
): Kafka {
  const defaults = { brokers: broker.bootstrap, clientId: 'test', tls: false };
  return connectKafka({ ...defaults, ...settings }, logger);
}

let topics = 0;
async function createTopic({ partitions = 1, config = {} } = {}): Promise<string> {
  const topic = `topic-${topics++}`;
  await kafka.admin.create(new Map([[topic, { partitions, replication: 1, config }]]));
  return topic;
}

const records = (...texts: string[]): NewRecord[] => texts.map((text) => ({ key: 'acme', frame: Buffer.from(text) }));
async function textsOf(log: Log): Promise<string[]> {
  const { first } = await log.bounds();
  return (await log.read(first, ample)).map(({ frame }) => `${Buffer.from(frame)}`);
}

logContract('kafka', async () => {
  const topic = await createTopic();
  const log = kafka.log(topic, 0);
  return { log, reopen: async () => kafka.log(topic, 0), close: () => log.close() };
});

describe('a log in Kafka', () => {
  test('a read that waits holds up neither appends nor reads, of its own partition or of others', async () => {
    const topic = await createTopic({ partitions: 2 });
    const [quiet, busy] = [kafka.log(topic, 0), kafka.log(topic, 1)];
    const order: string[] = [];
    const waiting = quiet.read(0, { ...ample, waitMs: 60_000 }).then((read) => {
      order.push('waited');
      return read;
    });
    for (let n = 0; n < 20; n++) {
      await busy.append(records(`${n}`));
      expect(await busy.read(n, { ...ample, waitMs: 60_000 })).toHaveLength(1);
    }
    order.push('others');
    await quiet.append(records('at last'));
    expect(await waiting).toMatchObject([{ position: 0, key: 'acme' }]);
    expect(order).toEqual(['others', 'waited']);
  });

  test('a read that finds nothing ends with its time', async () => {
    const log = kafka.log(await createTopic(), 0);
    expect(await log.read(0, { ...ample, waitMs: 30 })).toEqual([]);
  });

  test('over a quota everything is read, later', async () => {
    const bytesPerSecond = 50_000;
    const quota = ['--alter', '--add-config', `consumer_byte_rate=${bytesPerSecond}`, '--entity-type', 'clients'];
    const server = ['--bootstrap-server', broker.bootstrap[0]!];
    await broker.tool('kafka.admin.ConfigCommand', ...server, ...quota, '--entity-name', 'slow');
    const topic = await createTopic();
    const frame = crypto.getRandomValues(new Uint8Array(bytesPerSecond));
    // Kafka looks at the last eleven seconds.
    const batches = 12;
    for (let n = 0; n < batches; n++) await kafka.log(topic, 0).append([{ key: 'acme', frame }]);
    const slow = connect({ clientId: 'slow' });
    onTestFinished(() => slow.close());
    const log = slow.log(topic, 0);
    for (let n = 0; n < batches; n++) expect(await log.read(n, { records: 1, bytes: 1 })).toHaveLength(1);
  });

  test('the bounds of many partitions that are asked for together are each its own', async () => {
    const topic = await createTopic({ partitions: 8 });
    const logs = Array.from({ length: 8 }, (_, partition) => kafka.log(topic, partition));
    for (const [index, log] of logs.entries()) await log.append(records(...Array(index + 1).fill('x')));
    await logs[3]!.trim(2);
    const asked = [...logs, kafka.log(topic, 99)].map((log) => log.bounds().catch((error: Error) => error.message));
    const expected = logs.map((_, index) => ({ first: index === 3 ? 2 : 0, next: index + 1 }));
    expect(await Promise.all(asked)).toEqual([...expected, `Cannot use partition 99 of ${topic}: there is none`]);
  });

  test('two that read the same at different places get each its own', async () => {
    const topic = await createTopic();
    await kafka.log(topic, 0).append(records('a', 'b', 'c'));
    const reads = [0, 1, 2].map((from) => kafka.log(topic, 0).read(from, ample));
    expect((await Promise.all(reads)).map(([record]) => record?.position)).toEqual([0, 1, 2]);
  });

  test.each([
    { what: 'nothing', batch: [] },
    { what: 'more than a batch may have', batch: [{ key: 'acme', frame: new Uint8Array(kafkaMessageBytesMax) }] },
  ])('refuses $what', async ({ batch }) => {
    const log = kafka.log(await createTopic(), 0);
    await expect(log.append(batch)).rejects.toThrow(RangeError);
  });

  test('takes the largest batch that callers make, of bytes that do not get smaller', async () => {
    const log = kafka.log(await createTopic({ config: { 'max.message.bytes': `${kafkaMessageBytesMax}` } }), 0);
    const frame = crypto.getRandomValues(new Uint8Array(65_536));
    const batch = Array.from({ length: kafkaBatchBytesMax / frame.length }, () => ({ key: 'acme', frame }));
    await log.append(batch);
    const read = await log.read(0, ample);
    expect(read).toHaveLength(batch.length);
    expect(Buffer.compare(read.at(-1)!.frame, frame)).toBe(0);
  });

  test('says what a partition that is not there lacks', async () => {
    const topic = await createTopic();
    await expect(kafka.log(topic, 7).bounds()).rejects.toThrow(`Cannot use partition 7 of ${topic}: there is none`);
  });

  test('keys and headers are there for Kafka’s own tools', async () => {
    const topic = await createTopic();
    await kafka
      .log(topic, 0)
      .append([{ key: 'acme', frame: Buffer.from('x'), headers: { ce_id: '1-a', ce_type: 'ä' } }]);
    const options = ['--from-beginning', '--max-messages', '1', '--topic', topic, '--bootstrap-server'];
    const formatter = ['--formatter-property', 'print.key=true', '--formatter-property', 'print.headers=true'];
    const consumer = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
    const printed = await broker.tool(consumer, ...options, broker.bootstrap[0]!, ...formatter);
    expect(printed).toBe('ce_id:1-a,ce_type:ä\tacme\tx\n');
  });
});

describe('Kafka that goes away', () => {
  test('everything rejects as unavailable, and works again when it is back', async () => {
    const impatient = connect({ requestTimeoutMs: 2_000 });
    onTestFinished(() => impatient.close());
    const topic = await createTopic({ partitions: 2 });
    const [log, other] = [impatient.log(topic, 0), impatient.log(topic, 1)];
    await log.append(records('before'));
    const waiting = other.read(0, { ...ample, waitMs: 60_000 });
    const unavailable = { code: 'LOG_UNAVAILABLE' };
    const lost = expect(waiting).rejects.toMatchObject(unavailable);

    await broker.kill(1, 'SIGKILL');
    await lost;
    await expect(log.append(records('lost'))).rejects.toMatchObject(unavailable);
    await expect(log.read(0, ample)).rejects.toMatchObject(unavailable);
    await expect(log.bounds()).rejects.toMatchObject(unavailable);
    await expect(impatient.commit('group', topic, new Map([[0, 1]]))).rejects.toMatchObject(unavailable);
    await expect(impatient.admin.brokersCount()).rejects.toMatchObject(unavailable);

    await broker.start(1);
    await vi.waitFor(() => log.append(records('after')), patience);
    expect(await textsOf(log)).toEqual(['before', 'after']);
    await other.append(records('other'));
    expect(await textsOf(other)).toEqual(['other']);
  });

  test('a broker that hangs is given up in time, also by what waits for its turn', async () => {
    const impatient = connect({ requestTimeoutMs: 500 });
    onTestFinished(() => impatient.close());
    const log = impatient.log(await createTopic(), 0);
    await log.append(records('before'));
    await broker.kill(1, 'SIGSTOP');
    const calls = [log.append(records('a')), log.append(records('b')), log.bounds(), log.read(1, ample)];
    const outcomes = await Promise.allSettled(calls);
    await broker.kill(1, 'SIGCONT');
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)).toEqual(
      calls.map(() => 'LOG_UNAVAILABLE'),
    );
    await vi.waitFor(() => log.append(records('after')), patience);
    // The cluster may have given its only leader up meanwhile.
    const texts = await vi.waitFor(() => textsOf(log), patience);
    expect([texts[0], texts.at(-1)]).toEqual(['before', 'after']);
  });
});

describe('a group', () => {
  interface Member {
    /** What it was told last. */
    partitions: readonly number[];
    leave(): Promise<void>;
  }
  function join(group: string, topic: string, fields: { kafka?: Kafka; sessionTimeoutMs?: number } = {}): Member {
    const { kafka: own = connect(), sessionTimeoutMs = 1_000 } = fields;
    onTestFinished(() => own.close());
    const member: Member = { partitions: [], leave: () => membership.leave() };
    const assigned = (partitions: readonly number[]) => {
      member.partitions = partitions;
    };
    const membership = own.join({ group, topic, assigned, sessionTimeoutMs });
    return member;
  }
  const shares = (...members: Member[]) => members.map(({ partitions }) => partitions);

  test('is the first of its cluster, which has no coordinator yet: that is no outage', async () => {
    const lines: unknown[] = [];
    const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const topic = await vi.waitFor(() => createTopic(), patience);
    const member = join('first', topic, { kafka: connect({}, logger) });
    await vi.waitFor(() => expect(shares(member)).toEqual([[0]]), patience);
    expect(lines).toEqual([]);
  });

  test('shares out the partitions; what one had who leaves goes to the others', async () => {
    const topic = await createTopic({ partitions: 4 });
    const first = join('sharing', topic);
    await vi.waitFor(() => expect(shares(first)).toEqual([[0, 1, 2, 3]]), patience);
    const second = join('sharing', topic);
    await vi.waitFor(
      () =>
        expect(shares(first, second)).toEqual([
          [0, 1],
          [2, 3],
        ]),
      patience,
    );
    await first.leave();
    await vi.waitFor(() => expect(shares(second)).toEqual([[0, 1, 2, 3]]), patience);
  });

  test('gives the partitions of a member that hangs to the others, and takes it in again', async () => {
    const topic = await createTopic({ partitions: 4 });
    const first = join('hanging', topic);
    const child = spawn(process.execPath, [memberProgram, broker.bootstrap[0]!, 'hanging', topic]);
    onTestFinished(() => void child.kill('SIGKILL'));
    const told: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => told.push(line));
    await vi.waitFor(() => expect([first.partitions.length, told.length]).toEqual([2, 1]), patience);
    child.kill('SIGSTOP');
    await vi.waitFor(() => expect(shares(first)).toEqual([[0, 1, 2, 3]]), patience);
    child.kill('SIGCONT');
    await vi.waitFor(
      () => expect([first.partitions.length, told.slice(1)]).toEqual([2, ['[]', told.at(-1)]]),
      patience,
    );
    expect([...first.partitions, ...JSON.parse(told.at(-1)!)].sort()).toEqual([0, 1, 2, 3]);
  });

  test('keeps its partitions while Kafka is away, and goes on when it is back', async () => {
    const topic = await createTopic({ partitions: 2 });
    const first = join('outage', topic, { sessionTimeoutMs: 10_000 });
    await vi.waitFor(() => expect(shares(first)).toEqual([[0, 1]]), patience);
    await broker.kill(1, 'SIGKILL');
    await broker.start(1);
    expect(shares(first)).toEqual([[0, 1]]);
    const second = join('outage', topic, { sessionTimeoutMs: 10_000 });
    await vi.waitFor(() => expect(shares(first, second)).toEqual([[0], [1]]), patience);
  });

  test('keeps positions, which its members and, without any, everybody may commit', async () => {
    const topic = await createTopic({ partitions: 3 });
    const committed = () => kafka.committed('positions', topic).then((positions) => [...positions]);
    await vi.waitFor(async () => expect(await committed()).toEqual([]), patience);
    const positions: [number, number][] = [
      [0, 7],
      [2, 9],
    ];
    await kafka.commit('positions', topic, new Map(positions));
    expect(await committed()).toEqual(positions);
    const own = connect();
    const member = join('positions', topic, { kafka: own });
    await vi.waitFor(() => expect(shares(member)).toEqual([[0, 1, 2]]), patience);
    const refused = { code: 'LOG_UNAVAILABLE', cause: { type: 'UNKNOWN_MEMBER_ID' } };
    await expect(kafka.commit('positions', topic, new Map([[0, 1]]))).rejects.toMatchObject(refused);
    await own.commit('positions', topic, new Map([[0, 8]]));
    expect(await committed()).toEqual([
      [0, 8],
      [2, 9],
    ]);
  });
});

test('no warning of kafkajs’s timers was printed', () => {
  expect(warnings).toEqual([]);
});
