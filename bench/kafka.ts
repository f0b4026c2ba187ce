import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { projects } from '../scripts/projects.ts';
import { generateScenario } from '../services/simulator/scenario.ts';
import { startKafka } from '../test/kafka/broker.ts';
import { hookwatch, temporaryFolder } from './child.ts';
import { encodeRequest, signAll } from './deliveries.ts';
import { type Bench, type Figure, figureOf } from './figure.ts';
import { figuresOfLatency } from './latency.ts';
import { startLoad } from './load-client.ts';
import { ask, demoTokenOf, type System, sendSteadily, startSystem } from './system-run.ts';

const rounds = 3;
const deliveriesPerRound = 8_000;
const connections = 64;
const secondsMax = 60;
const pollIntervalMs = 50;

/** Edge, worker, sink and ClickHouse as processes of their own with one broker between them. */
export const kafka: Bench = {
  name: 'kafka',
  about: 'over Kafka: deliveries/s from POST to row, as fast as they are taken; p99 from POST to row at 500/s',
  async run(say) {
    const remedy = remedyFor('kafka');
    if (remedy) {
      say(`left out: ${remedy}`);
      return [];
    }
    const broker = await startKafka();
    try {
      const settings = {
        HOOKWATCH_KAFKA_BROKERS: broker.bootstrap.join(','),
        HOOKWATCH_KAFKA_REPLICATION: '1',
        HOOKWATCH_KAFKA_MIN_ISR: '1',
      };
      await makeTopics(settings);
      await using system = await startSystem(settings);
      const latency = figuresOfLatency(await sendSteadily(system, say), say);
      return [await measureThroughput(system, say), ...latency];
    } finally {
      await broker.dispose();
    }
  },
};

/** What has to be done before tests and benches of a kind can run here; undefined where they can. */
export function remedyFor(project: string): string | undefined {
  const readiness = projects.find(({ name }) => name === project)!.readiness();
  return readiness.ready ? undefined : readiness.remedy;
}

async function makeTopics(settings: Record<string, string>): Promise<void> {
  // The broker stands still while nobody reads what it says: this process must not.
  await promisify(execFile)(process.execPath, [hookwatch, 'topics', '--apply'], {
    env: { ...process.env, ...settings },
  });
}

/** Everything is as busy as it can be, until the last row is there. */
async function measureThroughput(system: System, say: (line: string) => void): Promise<Figure> {
  using folder = temporaryFolder();
  say(`signing ${rounds * deliveriesPerRound} deliveries`);
  const scenario = { seed: 2, startMs: Date.now(), rate: deliveriesPerRound / 10, seconds: 10 * rounds, root: 'NWND' };
  const items = await signAll([...generateScenario(scenario)], system.privateKeyPem);
  const requests = items.map((item) => encodeRequest(demoTokenOf(item), item.body.toString(), item.signature));
  writeFileSync(join(folder.path, 'requests.json'), JSON.stringify(requests));
  await using client = startLoad(join(folder.path, 'requests.json'));
  await client.ready;
  const perSecond: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const goal = (await countRows(system)) + deliveriesPerRound;
    const startedMs = performance.now();
    const order = { url: system.edge, connections, seconds: secondsMax, requestsMax: deliveriesPerRound };
    const { accepted, seconds } = await client.load(order);
    if (accepted < deliveriesPerRound) throw new Error(`The edge took ${accepted} of ${deliveriesPerRound} deliveries`);
    while ((await countRows(system)) < goal) {
      await wait(pollIntervalMs);
      if (performance.now() > startedMs + 1_000 * secondsMax) throw new Error('The rows do not come');
    }
    perSecond.push((deliveriesPerRound * 1_000) / (performance.now() - startedMs));
    say(
      `round ${round} of ${rounds}: taken at ${Math.round(accepted / seconds)}/s, ${Math.round(perSecond.at(-1)!)}/s to their rows`,
    );
  }
  return figureOf({ name: 'edge → Kafka → worker → ClickHouse', unit: '/s' }, perSecond);
}

/** How many deliveries have both of their rows. */
async function countRows({ clickhouse }: System): Promise<number> {
  const counts = ['deliveries', 'events'].map((view) => `(SELECT count() FROM hookwatch.${view})`);
  const [row] = await ask<[number]>(clickhouse, `SELECT toInt32(least(${counts.join(', ')}))`);
  return row![0];
}
