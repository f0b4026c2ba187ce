import { expect, onTestFinished, test } from 'vitest';
import { startKafka } from './broker.ts';

const topicsTool = 'org.apache.kafka.tools.TopicCommand';

test('a broker that was killed comes back on its port with its data', async () => {
  const kafka = await startKafka();
  onTestFinished(() => kafka.dispose());
  const server = ['--bootstrap-server', ...kafka.bootstrap];
  await kafka.tool(topicsTool, ...server, '--create', '--topic', 'kept');
  await kafka.kill(1, 'SIGKILL');
  await kafka.start(1);
  expect(await kafka.tool(topicsTool, ...server, '--list')).toBe('kept\n');
});
