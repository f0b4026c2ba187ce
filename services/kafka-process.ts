/** What every process over Kafka does besides its work: it looks at the topics first, and can be asked how it is. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Hono } from 'hono';
import type { Config } from './config.ts';
import { createStatusApp, serve } from './http.ts';
import type { KafkaLanes } from './kafka-lanes.ts';
import type { KafkaConfig } from './kafka-settings.ts';
import type { Running } from './parts.ts';
import { type Log, LogUnavailableError } from './ports/log/log.ts';
import { checkTopics } from './ports/log/topics.ts';
import type { Registry } from './telemetry.ts';

const never = new Promise<never>(() => {});
const checkAgainMs = 1_000;

/** Looks at the topics until they were once as they must be: a record in a wrong partition could not be put right. */
export function createCheck({ kafka }: KafkaLanes, settings: KafkaConfig): () => Promise<void> {
  let passed: Promise<void> | undefined;
  return () => {
    passed ??= checkTopics(kafka.admin, settings).catch((error) => {
      passed = undefined;
      throw error;
    });
    return passed;
  };
}

/** A log that takes nothing before the check has passed. */
export function behind(check: () => Promise<void>, log: Log): Pick<Log, 'append'> {
  return {
    async append(batch) {
      await check();
      return log.append(batch);
    },
  };
}

export interface ProcessOptions {
  /** A label of its metrics, and of its URL. */
  name: 'worker' | 'sink' | 'console';
  config: Config;
  kafka: KafkaConfig;
  lanes: KafkaLanes;
  registry: Registry;
  /** Routes besides those of every process. */
  routes?: Hono;
  /** Rejects when the work can no longer be done. */
  run(): Promise<void>;
  stop(): Promise<void>;
  /** Why the work is not done now. */
  troubles(): string[];
}

/** Can be asked at once what it waits for, and begins its work when Kafka is reached and its topics are right. */
export async function startProcess(options: ProcessOptions): Promise<Running> {
  const { name, config, lanes, kafka, registry, routes } = options;
  const stopping = new AbortController();
  let unchecked: string | undefined = 'its topics were not looked at yet';
  let begun = false;
  const troubles = () => (unchecked ? [`${name}: Kafka: ${unchecked}`] : options.troubles());
  const served = await serve(createStatusApp(registry, troubles, routes), config.host, config.ports[name]);
  const check = createCheck(lanes, kafka);

  async function work(): Promise<void> {
    while (unchecked !== undefined) {
      try {
        await check();
        unchecked = undefined;
      } catch (error) {
        if (!(error instanceof LogUnavailableError)) throw error;
        unchecked = error.message;
        await wait(checkAgainMs, undefined, { signal: stopping.signal });
      }
    }
    // Asked to end while the topics were looked at: who begins now would join the others and never be told to leave.
    stopping.signal.throwIfAborted();
    begun = true;
    await options.run();
  }

  return {
    urls: { [name]: served.url },
    failed: work().then(
      () => never,
      (error) => (stopping.signal.aborted ? never : Promise.reject(error)),
    ),
    async close() {
      stopping.abort();
      if (begun) await options.stop();
      await served.close();
      await lanes.close();
    },
  };
}
