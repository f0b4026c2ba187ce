/** `hookwatch audit`: compares what the lanes lead to with what is in ClickHouse. */
import { parseArgs } from 'node:util';
import type { Checkpoints } from '../../ports/checkpoints/checkpoints.ts';
import type { Log } from '../../ports/log/log.ts';
import type { SqlWarehouse } from '../../ports/warehouse/warehouse.ts';
import { explain } from '../failures.ts';
import { createProgressLine, type Output } from '../replay/progress-line.ts';
import { type AuditOptions, auditLane } from './audit.ts';
import type { Depth } from './fingerprint.ts';
import { formatAudit, isEqual } from './report.ts';

export interface AuditContext {
  tenants: readonly string[];
  /** The log that holds a tenant's lane. */
  records: (tenant: string) => Pick<Log, 'read' | 'bounds'>;
  /** Where its checkpoints are. */
  checkpoints: (tenant: string) => Checkpoints;
  warehouse: Pick<SqlWarehouse, 'query' | 'rows'>;
  /** Hash of this code's flow. */
  flow: string;
  /** How long ClickHouse keeps rows. */
  ttlDays: { deliveries: number; persons?: number; facts: number };
  /** Resolves once what the workers have put out until now is in ClickHouse; rejects where nothing puts it there. */
  stored?: (() => Promise<void>) | undefined;
  out?: Output;
  error?: Output;
}

export const auditUsage = `Usage: npm run hookwatch -- audit [options]

Works on every lane once more, from its first record or its oldest checkpoint up to its newest one, and compares what
it leads to with what is in ClickHouse: positions, counts and checksums per table. Names the rows that differ. Changes
nothing, and may run beside a running Hookwatch.

  --tenant NAME     only this tenant's lane
  --values          compare every field; without it ids and versions
  --show N          rows that differ to name per table (default 20)
  --port-offset N   as given to npm start
  --help            this text

Exit code: 0 everything is equal, 1 it is not or could not be compared (it says why), 2 wrong usage.
`;

const options = {
  tenant: { type: 'string' },
  values: { type: 'boolean', default: false },
  show: { type: 'string', default: '20' },
  'port-offset': { type: 'string' },
  help: { type: 'boolean' },
} as const;

const dayMs = 86_400_000;

/** Resolves to the exit code and never rejects for what a user can put right. */
export async function auditCommand(args: string[], context: AuditContext): Promise<number> {
  const { out = process.stdout, error = process.stderr } = context;
  const settings = parseSettings(args, context.tenants);
  if ('mistake' in settings) {
    error.write(`${settings.mistake}\n`);
    return 2;
  }
  if (settings.help) {
    out.write(auditUsage);
    return 0;
  }
  let failures = 0;
  for (const tenant of settings.tenants) {
    const line = createProgressLine(error);
    const onProgress = (doing: string, upTo: number, until: number) =>
      line.say(() => `${tenant}: ${doing} up to position ${upTo} of ${until}`);
    const { equal, text } = await audit(tenant, settings, { ...context, onProgress }).catch((failure: unknown) => ({
      equal: false,
      text: `${tenant}: could not be compared: ${explain(failure)}\n`,
    }));
    line.end();
    out.write(text);
    if (!equal) failures++;
  }
  return failures === 0 ? 0 : 1;
}

interface Settings {
  help: boolean;
  tenants: readonly string[];
  depth: Depth;
  differencesMax: number;
}

async function audit(
  tenant: string,
  { depth, differencesMax }: Settings,
  context: AuditContext & Pick<AuditOptions, 'onProgress'>,
): Promise<{ equal: boolean; text: string }> {
  const { warehouse, flow, ttlDays, error = process.stderr, onProgress } = context;
  const now = Date.now();
  const outcome = await auditLane({
    tenant,
    records: context.records(tenant),
    checkpoints: context.checkpoints(tenant),
    warehouse,
    flow,
    depth,
    keptSince: {
      deliveries: now - ttlDays.deliveries * dayMs,
      persons: now - (ttlDays.persons ?? ttlDays.facts) * dayMs,
      facts: now - ttlDays.facts * dayMs,
    },
    stored: async () => {
      await context.stored?.().catch((cause: unknown) => {
        error.write(`${explain(cause)}. What is not stored yet counts as missing.\n`);
      });
    },
    differencesMax,
    ...(onProgress && { onProgress }),
  });
  return { equal: isEqual(outcome), text: formatAudit(outcome, depth) };
}

function parseSettings(args: string[], tenants: readonly string[]): Settings | { mistake: string } {
  try {
    const { values } = parseArgs({ args, options });
    const differencesMax = Number(values.show);
    if (!Number.isInteger(differencesMax) || differencesMax < 1) {
      return { mistake: `Cannot read --show as a whole number above 0: it is '${values.show}'` };
    }
    if (values.tenant !== undefined && !tenants.includes(values.tenant)) {
      return { mistake: `Cannot audit tenant ${values.tenant}: hookwatch.yaml has ${tenants.join(', ')}` };
    }
    return {
      help: values.help ?? false,
      tenants: values.tenant === undefined ? tenants : [values.tenant],
      depth: values.values ? 'values' : 'identity',
      differencesMax,
    };
  } catch (error) {
    return { mistake: `${(error as Error).message}\n\n${auditUsage}` };
  }
}
