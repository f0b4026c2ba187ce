import { pino } from 'pino';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { connectKafka } from '../../../services/ports/log/kafka.ts';
import { startKafka, type TestKafka } from '../../kafka/broker.ts';

const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required';

let broker: TestKafka;
beforeAll(async () => {
  broker = await startKafka({
    config: {
      'listener.security.protocol.map': 'PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
      'sasl.enabled.mechanisms': 'PLAIN',
      'sasl.mechanism.inter.broker.protocol': 'PLAIN',
      'listener.name.plaintext.plain.sasl.jaas.config': `${login} username="a" password="b" user_a="b" user_hookwatch="secret";`,
    },
  });
});
afterAll(() => broker?.dispose());

function connect(password: string) {
  const sasl = { mechanism: 'plain' as const, username: 'hookwatch', password };
  const kafka = connectKafka(
    { brokers: broker.bootstrap, clientId: 'test', tls: false, sasl },
    pino({ level: 'silent' }),
  );
  onTestFinished(() => kafka.close());
  return kafka;
}

test('logs in', async () => {
  const kafka = connect('secret');
  await kafka.admin.create(new Map([['guarded', { partitions: 1, replication: 1, config: {} }]]));
  const log = kafka.log('guarded', 0);
  await log.append([{ key: 'acme', frame: Buffer.from('x') }]);
  expect(await log.read(0, { records: 1, bytes: 1 })).toMatchObject([{ position: 0, key: 'acme' }]);
});

test('a wrong password is no outage that passes', async () => {
  const { bounds } = connect('wrong').log('guarded', 0);
  await expect(bounds()).rejects.toThrow(/PLAIN authentication failed/);
  await expect(bounds()).rejects.not.toMatchObject({ code: 'LOG_UNAVAILABLE' });
});
