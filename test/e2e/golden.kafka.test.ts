import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll } from 'vitest';
import { startForwarder } from '../../services/edge/forwarder/forwarder.ts';
import type { Log } from '../../services/ports/log/log.ts';
import { createRegistry, forwarderMetrics } from '../../services/telemetry.ts';
import { startKafka, type TestKafka } from '../kafka/broker.ts';
import { openLanes } from '../kafka/lanes.ts';
import { openClickHouse } from './clickhouse.ts';
import { goldenSuite } from './golden.ts';
import { tenantName, type Way } from './pipeline.ts';

let kafka: TestKafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka?.dispose());

/** The journal is forwarded into lanes in Kafka; outputs and checkpoints are there, too. */
async function wayOverKafka(journal: Log): Promise<Way> {
  const lanes = await openLanes(kafka);
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-golden-'));
  const forwarder = await startForwarder({
    journal,
    lane: () => lanes.records(0),
    progress: lanes.progress(),
    tenants: [tenantName],
    hintFile: join(folder, 'forwarded.json'),
    metrics: forwarderMetrics(createRegistry('test')),
    logger: pino({ level: 'silent' }),
  });
  const outputs = lanes.outputs(0);
  return {
    records: lanes.records(0),
    outputs,
    checkpoints: lanes.checkpoints(0),
    progress: lanes.progress(),
    sources: lanes.outputLogs(0).map(({ topic, log }) => ({ name: topic, log })),
    async close() {
      await forwarder.stop(1_000);
      await lanes.close();
      rmSync(folder, { recursive: true });
    },
  };
}

goldenSuite('over Kafka', openClickHouse, wayOverKafka);
