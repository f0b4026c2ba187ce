import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { connectKafka } from '../../../services/ports/log/kafka.ts';
import { LogUnavailableError } from '../../../services/ports/log/log.ts';
import { startKafka } from '../../kafka/broker.ts';

test('nothing acknowledged is missing or out of order when leaders die, end and come back', async () => {
  const brokers = await startKafka({ brokers: 3 });
  onTestFinished(() => brokers.dispose());
  const settings = { brokers: brokers.bootstrap, clientId: 'test', tls: false, requestTimeoutMs: 5_000 };
  const kafka = connectKafka(settings, pino({ level: 'silent' }));
  onTestFinished(() => kafka.close());
  await kafka.admin.create(new Map([['led', { partitions: 1, replication: 3, config: {} }]]));
  const log = kafka.log('led', 0);

  const acknowledged: number[] = [];
  let refused = 0;
  let going = true;
  const appending = (async () => {
    while (going) {
      const frame = Buffer.from(`${acknowledged.length}`);
      try {
        acknowledged.push(await log.append([{ key: 'acme', frame }]));
      } catch (error) {
        if (!(error instanceof LogUnavailableError)) throw error;
        refused++;
      }
    }
  })();
  const goesOn = async () => {
    const before = acknowledged.length;
    await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(before + 100), { timeout: 60_000 });
  };

  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    await goesOn();
    const leader = await brokers.leader('led', 0);
    await brokers.kill(leader, signal);
    await goesOn();
    await brokers.start(leader);
  }
  await goesOn();
  going = false;
  await appending;

  expect(refused).toBeGreaterThan(0);
  expect(acknowledged).toEqual(acknowledged.toSorted((a, b) => a - b));
  const found = new Map<number, string>();
  const { next } = await log.bounds();
  for (let from = 0; from < next; ) {
    const read = await log.read(from, { records: 10_000, bytes: 1e9 });
    for (const { position, frame } of read) found.set(position, `${Buffer.from(frame)}`);
    from = read.at(-1)!.position + 1;
  }
  expect(acknowledged.map((position) => found.get(position))).toEqual(acknowledged.map((_, n) => `${n}`));
});
