/**
 * Saves or restores a lane with many servers, over Kafka: `restore-lane.ts save|restore <bootstrap> <servers>`. Prints a
 * Report as JSON.
 */
import { pino } from 'pino';
import { createState, type FlowState } from '../services/core/flow/state.ts';
import { connectLanes } from '../services/kafka-lanes.ts';
import { restoreNewest } from '../services/ports/checkpoints/restore.ts';
import { wantedTopics } from '../services/ports/log/topics.ts';
import { kafkaSettings } from '../test/kafka/lanes.ts';
import { sampleBody } from './sample.ts';

export interface Report {
  seconds: number;
  /** Of the state as it was saved, before Kafka has it compressed. */
  megabytes: number;
  residentMegabytes: number;
}

const lane = 'northwind';
const accounts = 2_000;
const startMs = Date.UTC(2026, 0, 5, 9);
const megabyte = 1024 * 1024;

const [what, bootstrap = '', count] = process.argv.slice(2);
const servers = Number(count);
const settings = kafkaSettings({ bootstrap: [bootstrap] }, { prefix: 'restore' });
const lanes = connectLanes(settings, 'bench', pino({ level: 'warn' }));
const report = what === 'save' ? await save() : await restore();
await lanes.close();
process.stdout.write(`${JSON.stringify(report)}\n`);

async function save(): Promise<Report> {
  await lanes.kafka.admin.create(wantedTopics(settings));
  const state = buildState();
  let bytes = 0;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (const chunk of state.tables.snapshot()) {
      bytes += chunk.length;
      yield chunk;
    }
  }
  const head = { position: servers - 1, recordId: 'last', flow: '', final: false, producers: [] };
  const startedMs = performance.now();
  await lanes.checkpoints(0).save(lane, head, chunks());
  return reportOf(startedMs, bytes);
}

async function restore(): Promise<Report> {
  const startedMs = performance.now();
  const restored = await restoreNewest(lanes.checkpoints(0), lane);
  const found = restored?.state.servers.size;
  if (found !== servers) throw new Error(`Restored ${found} servers of ${servers}`);
  return reportOf(startedMs, 0);
}

function reportOf(startedMs: number, bytes: number): Report {
  const seconds = (performance.now() - startedMs) / 1_000;
  return { seconds, megabytes: bytes / megabyte, residentMegabytes: process.memoryUsage().rss / megabyte };
}

/** As the flow would have it, of an estate in which every server was created and updated. */
function buildState(): FlowState {
  const state = createState();
  const body = sampleBody('Server.Updated');
  for (let index = 0; index < servers; index++) {
    const name = `WA1NWND${index}`;
    const data = JSON.stringify({ ...body, id: name.toLowerCase(), name });
    if (index % 1_000 === 0) state.tables.begin();
    state.servers.set(`centurylink:A${index % accounts}`, name, {
      ...{ subject: name, data, created: true, deleted: false },
      ...{ createdAt: startMs, modifiedAt: startMs + index, firstReceivedAt: startMs, lastReceivedAt: startMs + index },
    });
  }
  return state;
}
