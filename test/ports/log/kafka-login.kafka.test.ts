import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { connectKafka } from '../../../services/ports/log/kafka.ts';
import { startKafka, type TestKafka } from '../../kafka/broker.ts';

const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
const scramLogin = 'org.apache.kafka.common.security.scram.ScramLoginModule required';

let broker: TestKafka;
beforeAll(async () => {
  broker = await startKafka({
    config: {
      'listener.security.protocol.map': 'PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256',
      'sasl.mechanism.inter.broker.protocol': 'PLAIN',
      'listener.name.plaintext.plain.sasl.jaas.config': `${login} username="a" password="b" user_a="b" user_hookwatch="secret";`,
      'listener.name.plaintext.scram-sha-256.sasl.jaas.config': `${scramLogin};`,
    },
  });
});
afterAll(() => broker?.dispose());

function connect(password: string, mechanism: 'plain' | 'scram-sha-256' = 'plain') {
  const sasl = { mechanism, username: 'hookwatch', password };
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

test('a user that is not known yet is let in when it is', async () => {
  const early = connect('secret', 'scram-sha-256');
  const { bounds } = early.log('scrammed', 0);
  await expect(bounds()).rejects.toThrow(/SCRAM/);
  const topic = { partitions: 1, replication: 1, config: {} };
  await connect('secret').admin.create(new Map([['scrammed', topic]]));
  await addScramUser();
  await vi.waitFor(async () => expect(await bounds()).toEqual({ first: 0, next: 0 }), { timeout: 20_000 });
});

async function addScramUser(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-login-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const settings = join(folder, 'client.properties');
  const as = `${login} username="hookwatch" password="secret";`;
  writeFileSync(settings, `security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=${as}\n`);
  const server = ['--bootstrap-server', broker.bootstrap[0]!, '--command-config', settings];
  const user = ['--entity-type', 'users', '--entity-name', 'hookwatch'];
  const add = ['--alter', '--add-config', 'SCRAM-SHA-256=[password=secret]'];
  await broker.tool('kafka.admin.ConfigCommand', ...server, ...user, ...add);
}
