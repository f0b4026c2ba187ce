import { expect, test } from 'vitest';
import { type RebuildContext, rebuildCommand } from '../../../services/commands/rebuild/command.ts';

/** Wrong usage ends before anything is looked at. */
const untouched = new Proxy({}, { get: (_, name) => expect.fail(`${String(name)} was used`) });

test.each([
  [['--help'], 0, 'Usage: npm run hookwatch -- rebuild'],
  [['--tenant', 'nobody'], 2, 'Cannot rebuild tenant nobody: hookwatch.yaml has acme, bolt'],
  [['--from', 'memory'], 2, "Cannot read --from as snapshot or tables: it is 'memory'"],
  [['--wrong'], 2, 'Usage: npm run hookwatch -- rebuild'],
])('%j', async (args, code, says) => {
  let text = '';
  const out = { write: (part: string) => (text += part) };
  const ports = { warehouse: untouched, rebuilt: untouched, records: untouched, checkpoints: untouched };
  const context = { ...ports, tenants: ['acme', 'bolt'], flow: 'f', out, error: out } as unknown as RebuildContext;
  expect(await rebuildCommand(args, context)).toBe(code);
  expect(text).toContain(says);
});
