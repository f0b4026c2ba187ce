import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { logContract } from './contract.ts';

logContract('memory', async () => {
  const log = createMemoryLog();
  return { log, close: () => log.close() };
});
