/** Backups of lanes in memory, and a place in memory to restore them to. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { BackupSource } from '../../../services/commands/backup/backup.ts';
import { type BackupContext, backupCommand } from '../../../services/commands/backup/command.ts';
import { restoreCommand } from '../../../services/commands/restore/command.ts';
import type { RestoreTarget } from '../../../services/commands/restore/target.ts';
import type { Checkpoints } from '../../../services/ports/checkpoints/checkpoints.ts';
import { createMemoryCheckpoints } from '../../../services/ports/checkpoints/memory.ts';
import type { Log, NewRecord } from '../../../services/ports/log/log.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import type { SqlWarehouse } from '../../../services/ports/warehouse/warehouse.ts';

export const flow = 'f10f10f10f10f10f';

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-backup-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Outcome {
  code: number;
  text: string;
}

export async function backUp(path: string, source: Partial<BackupContext> = {}): Promise<Outcome> {
  let text = '';
  const out = { write: (part: string) => (text += part) };
  const code = await backupCommand([path], {
    lanesIn: 'kafka',
    logs: [],
    warehouse: tables().warehouse,
    stored: async () => {},
    edgeState: async () => undefined,
    version: '1.2.3',
    flow,
    out,
    error: out,
    ...source,
  });
  return { code, text };
}

export async function restoreTo(path: string, target: RestoreTarget, by = flow): Promise<Outcome> {
  let text = '';
  const out = { write: (part: string) => (text += part) };
  const code = await restoreCommand([path], { target, tenants: ['acme'], flow: by, out, error: out });
  return { code, text };
}

/** A ClickHouse as far as backups go: one table has rows, which are text. `written` is what was inserted, in order. */
export function tables(rows: Partial<Record<string, string>> = {}, onQuery: (sql: string) => unknown = () => {}) {
  const written: { table: string; columns: readonly string[]; rows: string }[] = [];
  const query = async <Row>(sql: string): Promise<Row[]> => {
    const meddled = onQuery(sql);
    if (meddled !== undefined) return meddled as Row[];
    if (sql.includes('system.columns')) return [{ name: 'tenant' }, { name: 'id' }] as Row[];
    if (sql.includes('GROUP BY unit')) return [{ unit: 1, rows: 1 }] as Row[];
    return [];
  };
  const read = async (sql: string) => Buffer.from(rows[/FROM hookwatch\.(\w+)/.exec(sql)![1]!] ?? '');
  const write = async (table: string, columns: readonly string[], bytes: Buffer) => {
    written.push({ table, columns, rows: bytes.toString() });
  };
  const warehouse = { query, migrate: async () => {}, native: { read, write } } as unknown as SqlWarehouse;
  return { warehouse, written };
}

export interface MemoryTarget extends RestoreTarget {
  logs: Log[];
  checkpoints: Checkpoints;
  edgeState: string | undefined;
  written: ReturnType<typeof tables>['written'];
  /** What was done, in order. */
  steps: string[];
}

export function memoryTarget(fields: Partial<RestoreTarget> = {}, rows = tables()): MemoryTarget {
  const { warehouse, written } = rows;
  const checkpoints = createMemoryCheckpoints();
  const steps: string[] = [];
  const target: MemoryTarget = {
    lanesIn: 'kafka',
    partitions: 1,
    remedy: 'Empty it.',
    logs: [],
    checkpoints,
    edgeState: undefined,
    written,
    steps,
    obstacles: async () => [],
    async begin() {
      steps.push('begin');
      return {
        warehouse,
        checkpoints: () => checkpoints,
        async openLog({ partition }) {
          const log = createMemoryLog();
          target.logs[partition] = log;
          return {
            append: log.append,
            async skipTo(position) {
              const missing = position - (await log.bounds()).next;
              if (missing > 0) await log.append(Array.from({ length: missing }, () => record('')));
            },
          };
        },
      };
    },
    async finish(edgeState) {
      steps.push('finish');
      target.edgeState = edgeState?.toString();
    },
    async close() {
      steps.push('close');
    },
    ...fields,
  };
  return target;
}

export function record(text: string, key = text === '' ? '' : 'acme'): NewRecord {
  return { key, frame: Buffer.from(text) };
}

/** What a log holds, as `position text`; without what only fills it. */
export async function textsOf(log: Log): Promise<string[]> {
  const { first } = await log.bounds();
  const records = await log.read(first, { records: 1e6, bytes: 1e9 });
  return records
    .filter(({ key }) => key !== '')
    .map(({ position, frame }) => `${position} ${Buffer.from(frame).toString()}`);
}

export async function saveAt(
  checkpoints: Checkpoints,
  position: number,
  head: { lane?: string; flow?: string; final?: boolean } = {},
): Promise<void> {
  const { lane = 'acme', flow: by = flow, final = false } = head;
  const state = (async function* () {
    yield Buffer.from(`state at `);
    yield Buffer.from(`${position}`);
  })();
  await checkpoints.save(lane, { position, recordId: `id-${position}`, flow: by, final, producers: [] }, state);
}

/** The newest state at or before a position, as text. */
export async function stateAt(checkpoints: Checkpoints, upTo?: number, lane = 'acme'): Promise<string> {
  const found = await checkpoints.newest(lane, upTo);
  const chunks: Uint8Array[] = [];
  if (found) for await (const chunk of found.chunks) chunks.push(chunk);
  return `${found?.position} ${found?.recordId} ${found?.final} ${Buffer.concat(chunks)}`;
}

export type Source = Partial<BackupSource> & { records: Log; checkpoints: Checkpoints };

/** A lane of ten records, saved at 3, 5 and 8, and some rows. */
export async function lane(more: (source: Source) => Partial<BackupSource> = () => ({})): Promise<Source> {
  const records = createMemoryLog();
  await records.append(Array.from({ length: 10 }, (_, index) => record(`r${index}`)));
  const checkpoints = createMemoryCheckpoints();
  for (const position of [3, 5, 8]) await saveAt(checkpoints, position);
  const { warehouse } = tables({ events_rows: 'events', sink_refused_rows: 'refusals' });
  const source: Source = { records, checkpoints, logs: [{ partition: 0, records, checkpoints }], warehouse };
  return { ...source, ...more(source) };
}
