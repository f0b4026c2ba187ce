/** `hookwatch rebuild`: makes the rows in ClickHouse anew from the lanes. */
import { parseArgs } from 'node:util';
import { explain } from '../failures.ts';
import { createProgressLine, type Output } from '../replay/progress-line.ts';
import { rebuildDatabase } from './kept.ts';
import type { Origin } from './lane.ts';
import { type RebuildOptions, rebuild } from './rebuild.ts';

export interface RebuildContext
  extends Pick<RebuildOptions, 'tenants' | 'records' | 'checkpoints' | 'warehouse' | 'rebuilt' | 'flow'> {
  stored?: () => Promise<void>;
  out?: Output;
  error?: Output;
}

export const rebuildUsage = `Usage: npm run hookwatch -- rebuild [options]

Works on the lanes anew and makes the rows in ClickHouse that follow from them: after the database was lost or damaged,
or to rework history by a new version. Fills the database ${rebuildDatabase}, then changes its tables for those that
people read; may run beside a running Hookwatch. ClickHouse needs room for everything twice. An interrupted rebuild can
be run again.

  --from snapshot   from the oldest checkpoint that is kept, or the lane's first record, and the log (default); older
                    rows are copied from the present tables
  --from tables     from the deliveries and controls in ClickHouse, which stay as they are: as long as none has expired
  --tenant NAME     only this tenant's lane; everybody else's rows are copied
  --port-offset N   as given to npm start
  --help            this text

Exit code: 0 done, 1 failed (it says why; before "changed over" nothing has changed), 2 wrong usage.
`;

const options = {
  from: { type: 'string', default: 'snapshot' },
  tenant: { type: 'string' },
  'port-offset': { type: 'string' },
  help: { type: 'boolean' },
} as const;

/** Resolves to the exit code and never rejects for what a user can put right. */
export async function rebuildCommand(args: string[], context: RebuildContext): Promise<number> {
  const { out = process.stdout, error = process.stderr } = context;
  const settings = parseSettings(args, context.tenants);
  if ('mistake' in settings) {
    error.write(`${settings.mistake}\n`);
    return 2;
  }
  if (settings.help) {
    out.write(rebuildUsage);
    return 0;
  }
  const line = createProgressLine(error);
  const say = (text: string) => {
    line.end();
    out.write(`${text}\n`);
  };
  try {
    await rebuild({
      ...context,
      ...settings,
      stored: context.stored ?? (async () => {}),
      onStep: say,
      onProgress: line.say,
    });
    say('Done. hookwatch audit compares the result with the lanes.');
    return 0;
  } catch (failure) {
    const why = explain(failure);
    line.end();
    error.write(`Failed: ${why}\nIt can be run again.\n`);
    return 1;
  }
}

interface Settings {
  help: boolean;
  tenants: readonly string[];
  origin: Origin;
}

function parseSettings(args: string[], tenants: readonly string[]): Settings | { mistake: string } {
  try {
    const { values } = parseArgs({ args, options });
    if (values.from !== 'snapshot' && values.from !== 'tables') {
      return { mistake: `Cannot read --from as snapshot or tables: it is '${values.from}'` };
    }
    if (values.tenant !== undefined && !tenants.includes(values.tenant)) {
      return { mistake: `Cannot rebuild tenant ${values.tenant}: hookwatch.yaml has ${tenants.join(', ')}` };
    }
    return {
      help: values.help ?? false,
      tenants: values.tenant === undefined ? tenants : [values.tenant],
      origin: values.from,
    };
  } catch (error) {
    return { mistake: `${(error as Error).message}\n\n${rebuildUsage}` };
  }
}
