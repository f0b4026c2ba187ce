import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { type OutputKind, outputKinds } from '../services/core/records/codec.ts';
import { schemas } from '../services/core/records/generated.ts';
import type { Log } from '../services/ports/log/log.ts';
import { createSqliteLog } from '../services/ports/log/sqlite.ts';
import { createClickHouseWarehouse } from '../services/ports/warehouse/clickhouse.ts';
import { containerParts } from '../services/ports/warehouse/container.ts';
import { tableOf } from '../services/ports/warehouse/tables.ts';
import type { Warehouse } from '../services/ports/warehouse/warehouse.ts';
import { createSink } from '../services/sink/sink.ts';
import { createRegistry, sinkMetrics } from '../services/telemetry.ts';
import { hookwatch, startChild, temporaryFolder } from './child.ts';
import { type Bench, figureOf } from './figure.ts';
import { collectGarbage } from './garbage.ts';
import { encodeScenario } from './lane.ts';
import { splitByKind, workOut } from './outputs.ts';
import { alternate } from './rounds.ts';

/** What one insert sends. */
interface RawInsert {
  table: string;
  container: Buffer;
}

/** The same batches on both sides. */
const limits = { records: 20_000, bytes: 8 * 1024 * 1024 };
const tables = outputKinds.map((kind) => tableOf(kind));
const rawTableOf = (table: string) => table.replace('hookwatch.', 'bench.');

/** The sink against inserting its very bytes, made beforehand, into tables of the same schema of the same engine. */
export const sink: Bench = {
  name: 'sink',
  about: "the sink's rows/s, from its log into ClickHouse, as a ratio to inserting the same bytes raw",
  async run(say) {
    using folder = temporaryFolder();
    const env = { HOOKWATCH_DATA: folder.path, HOOKWATCH_CLICKHOUSE_PORT: '0', HOOKWATCH_LOG_LEVEL: 'warn' };
    await using engine = startChild([hookwatch, 'clickhouse'], { env: { ...env, UV_THREADPOOL_SIZE: '16' } });
    const url = await engine.printed(/http:\/\/\S+/);
    const password = readFileSync(join(folder.path, 'secrets', 'hookwatch.password'), 'utf8').trim();
    const post = createPost(url, password);
    const warehouse = createClickHouseWarehouse({ url, username: 'hookwatch', password });
    const outputs = createSqliteLog({ folder: join(folder.path, 'outputs'), segmentBytesMax: 256 * 1024 * 1024 });
    try {
      await warehouse.migrate();
      await post('CREATE DATABASE bench');
      for (const table of tables) await post(`CREATE TABLE ${rawTableOf(table)} AS ${table}`);
      const rows = await fill(outputs);
      const inserts = await prepareRaw(outputs);
      say(`${rows} rows in ${inserts.length} inserts`);
      const empty = async (names: readonly string[]) => {
        for (const name of names) await post(`TRUNCATE TABLE ${name}`);
        collectGarbage();
      };
      const { ours, bare, ratios } = await alternate({
        async ours() {
          await empty(tables);
          return rows / (await timeSink(outputs, warehouse));
        },
        async bare() {
          await empty(tables.map(rawTableOf));
          return rows / (await timeRaw(inserts, post));
        },
        rounds: 7,
        say,
      });
      return [
        figureOf({ name: 'ratio to inserting the same bytes raw', unit: '', goal: { atLeast: 0.8 } }, ratios),
        figureOf({ name: 'rows by the sink', unit: '/s' }, ours),
        figureOf({ name: 'rows raw', unit: '/s' }, bare),
      ];
    } finally {
      await Promise.all([warehouse.close(), outputs.close()]);
    }
  },
};

/** Returns how many rows the outputs hold now. */
async function fill(outputs: Log): Promise<number> {
  const frames = workOut(encodeScenario({ seed: 1, startMs: Date.UTC(2026, 0, 5, 9), rate: 500, seconds: 40 }));
  for (let from = 0; from < frames.length; from += 1_000) {
    await outputs.append(frames.slice(from, from + 1_000).map((frame) => ({ key: 'northwind', frame })));
  }
  return frames.length;
}

async function prepareRaw(outputs: Log): Promise<RawInsert[]> {
  const inserts: RawInsert[] = [];
  for (let position = 0; ; ) {
    const batch = await outputs.read(position, limits);
    if (batch.length === 0) return inserts;
    position = batch.at(-1)!.position + 1;
    for (const { kind, schemaId, bodies } of splitByKind(batch)) {
      const { schema } = schemas.find(({ id }) => id === schemaId)!;
      inserts.push({
        table: rawTableOf(tableOf(kind as OutputKind)),
        container: Buffer.concat(containerParts(schema, bodies)),
      });
    }
  }
}

/** Seconds from the moment at which the tables are there to the last row. */
async function timeSink(outputs: Log, warehouse: Warehouse): Promise<number> {
  let startedMs = 0;
  const migrated: Warehouse = {
    ...warehouse,
    async migrate() {
      startedMs = performance.now();
    },
  };
  const worker = createSink({
    sources: [{ name: 'outputs', log: outputs }],
    warehouse: migrated,
    metrics: sinkMetrics(createRegistry('bench')),
    logger: pino({ level: 'warn' }),
    batchRecordsMax: limits.records,
    batchBytesMax: limits.bytes,
  });
  const running = worker.run();
  // Told to stop it writes what is there, without waiting for more to fill its last batch.
  await worker.stop(60_000);
  await running;
  return (performance.now() - startedMs) / 1_000;
}

async function timeRaw(inserts: readonly RawInsert[], post: Post): Promise<number> {
  const startedMs = performance.now();
  for (const { table, container } of inserts) await post(`INSERT INTO ${table} FORMAT Avro`, container);
  return (performance.now() - startedMs) / 1_000;
}

type Post = (query: string, body?: Buffer) => Promise<void>;

function createPost(url: string, password: string): Post {
  const headers = { 'X-ClickHouse-User': 'hookwatch', 'X-ClickHouse-Key': password };
  const settings = 'async_insert=0&wait_end_of_query=1&input_format_avro_allow_missing_fields=1';
  return async (query, body) => {
    const target = body ? `${url}/?${settings}&query=${encodeURIComponent(query)}` : url;
    const answer = await fetch(target, { method: 'POST', headers, body: body ? Uint8Array.from(body) : query });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${query}: ${text}`);
  };
}
