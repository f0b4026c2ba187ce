import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createSqliteLog } from '../../services/ports/log/sqlite.ts';
import { metricOf, type PartName, startInstallation } from '../supervisor/installation.ts';
import { type Deployment, survivesKills } from './crash.ts';

/** ClickHouse once more at the end, under a sink at work: what it lost then, no restart of the pipeline writes again. */
const kills = { edge: 7, pipeline: 7, clickhouse: 5 };

async function open(): Promise<Deployment> {
  const installation = await startInstallation();
  onTestFinished(installation.dispose);
  const openLog = (name: string) =>
    createSqliteLog({ folder: join(installation.dataFolder, name), segmentBytesMax: 1 });
  const [records, outputs] = [openLog('records'), openLog('outputs')];
  return {
    installation,
    kills,
    pid: (part) => installation.pid(part as PartName),
    records,
    sendsAgain: false,
    workerUrl: () => installation.urls.console,
    // The journal is the lane.
    untilForwarded: async () => {},
    async untilStored() {
      const end = (await outputs.bounds()).next - 1;
      await vi.waitFor(
        async () =>
          expect(await metricOf(installation.urls.console, 'hookwatch_sink_position')).toBeGreaterThanOrEqual(end),
        { timeout: 60_000, interval: 200 },
      );
    },
    async close() {
      await Promise.all([records.close(), outputs.close()]);
    },
  };
}

test('twenty kills under load: each 202 exactly once, and nothing else', { timeout: 240_000 }, () =>
  survivesKills(open),
);
