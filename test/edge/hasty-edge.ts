/** An edge whose journal says that a batch is on disk before it is: what the trace must find out. */
import { join } from 'node:path';
import pino from 'pino';
import { loadConfig } from '../../services/config.ts';
import { startEdge } from '../../services/edge/process.ts';
import { createThreadedSqliteLog } from '../../services/ports/log/threaded.ts';
import { prepareSecrets } from '../../services/secrets.ts';
import { writeEdgePid } from '../../services/supervisor/edge-pid.ts';
import { createRegistry } from '../../services/telemetry.ts';

const config = loadConfig(process.env);
const log = createThreadedSqliteLog({ folder: join(config.dataFolder, 'records'), segmentBytesMax: 2 ** 30 });
const edge = await startEdge({
  config,
  log: {
    ...log,
    append: async (batch) => {
      void log.append(batch);
      return 0;
    },
  },
  journalBytes: () => 0,
  demoKeyPem: prepareSecrets(config).demoKeyPem,
  registry: createRegistry('edge'),
  logger: pino({ level: 'silent' }),
});
process.on('SIGTERM', async () => {
  await edge.close();
  await log.close();
  process.exit(0);
});
writeEdgePid(config.dataFolder);
process.stdout.write(`${edge.url}\n`);
