import { pino } from 'pino';
import { afterAll, beforeAll } from 'vitest';
import { connectKafka, type Kafka } from '../../../services/ports/log/kafka.ts';
import { startKafka, type TestKafka } from '../../kafka/broker.ts';
import { logContract } from './contract.ts';

let broker: TestKafka;
let kafka: Kafka;
beforeAll(async () => {
  broker = await startKafka();
  kafka = connectKafka({ brokers: broker.bootstrap, clientId: 'test', tls: false }, pino({ level: 'silent' }));
});
afterAll(async () => {
  await kafka?.close();
  await broker?.dispose();
});

let topics = 0;

logContract('kafka', async () => {
  const topic = `contract-${topics++}`;
  await kafka.admin.create(new Map([[topic, { partitions: 1, replication: 1, config: {} }]]));
  const log = kafka.log(topic, 0);
  return { log, reopen: async () => kafka.log(topic, 0), close: () => log.close() };
});
