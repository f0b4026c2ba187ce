import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashToken } from '../../services/config.ts';
import type { OutputKind } from '../../services/core/records/codec.ts';
import { topicsOf } from '../../services/ports/log/topics.ts';
import { type Child, hookwatch, startChild } from '../child.ts';
import type { Arena } from './arena.ts';

/** A program that works on the lanes of an arena. */
export interface Side {
  name: 'worker' | 'streams';
  /** Where its outputs go. */
  topics: Readonly<Record<OutputKind, string>>;
  /** Starts it without anything that an earlier run has left. */
  start(folder: string): Promise<Child>;
}

const core = 1;
/** Of the JVM; as much as Node may take by itself on a machine of 8 GB and more. */
const heapMb = 4_096;

export function createWorkerSide(arena: Arena): Side {
  const { topics } = arena.lanes;
  return {
    name: 'worker',
    topics: topics.outputs,
    async start(folder) {
      await arena.renew([...Object.values(topics.outputs), topics.checkpoints, topics.progress]);
      return startChild([hookwatch, 'worker'], { core, env: environmentOf(arena, folder) });
    },
  };
}

/** What the program of Kafka Streams makes besides its outputs begins with its name, too. */
const streamsPrefix = 'streams';

/** `settings` are of Streams and its clients, each `key=value`. */
export function createStreamsSide(arena: Arena, classPath: string, settings: readonly string[]): Side {
  const topics = topicsOf(streamsPrefix).outputs;
  const { prefix, brokers } = arena.settings;
  let runs = 0;
  return {
    name: 'streams',
    topics,
    async start(folder) {
      await arena.remove((topic) => topic.startsWith(streamsPrefix));
      await arena.renew(Object.values(topics));
      const java = [`-Xms${heapMb}m`, `-Xmx${heapMb}m`, '-cp', classPath, 'hookwatch.streams.Main'];
      // The group of an earlier run has come to the end of the lanes.
      const application = `${streamsPrefix}-${prefix}-${++runs}`;
      const places = [brokers.join(','), `${prefix}.`, `${streamsPrefix}.`, application, join(folder, 'state')];
      return startChild([...java, ...places, ...settings], { core, command: 'java' });
    },
  };
}

function environmentOf({ settings, tenants }: Arena, folder: string): Record<string, string> {
  const config = join(folder, 'hookwatch.yaml');
  const endpointOf = (tenant: string) => ({
    ...{ name: 'server-created', provider: 'centurylink', event: 'Server.Created', account: 'NWND' },
    tokenSha256: hashToken(tenant),
  });
  // JSON is YAML.
  writeFileSync(
    config,
    JSON.stringify({
      tenants: tenants.map((name) => ({ name, roots: ['centurylink:NWND'], endpoints: [endpointOf(name)] })),
    }),
  );
  return {
    HOOKWATCH_DATA: folder,
    HOOKWATCH_CONFIG: config,
    HOOKWATCH_LOG_LEVEL: 'warn',
    HOOKWATCH_WORKER_PORT: '0',
    HOOKWATCH_KAFKA_BROKERS: settings.brokers.join(','),
    HOOKWATCH_KAFKA_PREFIX: settings.prefix,
    HOOKWATCH_KAFKA_PARTITIONS: String(settings.partitions),
    HOOKWATCH_KAFKA_REPLICATION: '1',
    HOOKWATCH_KAFKA_MIN_ISR: '1',
  };
}
