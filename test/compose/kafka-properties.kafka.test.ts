/** Kafka takes a property that it does not know without a word, so a mistyped one would be none: Kafka's own list is asked. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { fetchJars } from '../kafka/jars.ts';
import { parseStack, readStackFiles } from './checks/stack.ts';

/** Read by Kafka's scripts, not by the broker. */
const ofScripts = ['KAFKA_HEAP_OPTS'];

/** As the image does it: core/src/main/scala/kafka/docker/KafkaDockerWrapper.scala, getServerConfigsFromEnv. */
function propertyOf(variable: string): string {
  const name = variable.replace('KAFKA_', '').toLowerCase().replaceAll('_', '.');
  return name.replaceAll('...', '-').replaceAll('..', '_');
}

function propertiesOf(compose: string): string[] {
  const { environment } = parseStack({ ...readStackFiles(), compose }).services.kafka!;
  return Object.keys(environment)
    .filter((name) => name.startsWith('KAFKA_') && !ofScripts.includes(name))
    .map(propertyOf);
}

test('every property of the broker is one that it knows', async () => {
  // Its `main` prints the documentation of all properties as HTML.
  const { stdout } = await promisify(execFile)('java', ['-cp', await fetchJars(), 'kafka.server.KafkaConfig'], {
    maxBuffer: 16 * 1024 * 1024,
  });
  const known = new Set([...stdout.matchAll(/id="([a-z0-9._]+)"/g)].map(([, name]) => name!));
  const { compose } = readStackFiles();
  const used = propertiesOf(compose);
  expect(used).toContain('auto.create.topics.enable');
  expect(used.filter((name) => !known.has(name))).toEqual([]);
  const mistyped = propertiesOf(compose.replace('KAFKA_AUTO_CREATE_TOPICS', 'KAFKA_AUTO_CREATE_TOPIC'));
  expect(mistyped.filter((name) => !known.has(name))).toEqual(['auto.create.topic.enable']);
});
