/** Backs up some megabytes of records into the folder that it is given, and ends with the command's code. */
import { randomBytes } from 'node:crypto';
import { backupCommand } from '../../../services/commands/backup/command.ts';
import { createMemoryCheckpoints } from '../../../services/ports/checkpoints/memory.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';

const records = createMemoryLog();
await records.append(Array.from({ length: 8 }, () => ({ key: 'acme', frame: randomBytes(500_000) })));
process.exitCode = await backupCommand([process.argv[2]!], {
  lanesIn: 'sqlite',
  logs: [{ partition: 0, records, checkpoints: createMemoryCheckpoints() }],
  warehouse: { query: async () => [], native: { read: async () => Buffer.alloc(0) } },
  stored: async () => {},
  edgeState: async () => undefined,
  version: '1.2.3',
  flow: 'f10f10f10f10f10f',
  error: process.stdout,
});
