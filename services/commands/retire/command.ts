/**
 * `hookwatch edge retire`: tells the lanes that an edge is lost, and what it had not sent with it.
 *
 * The lanes then wait for nothing of it and its time holds nothing back. Should its disk turn up after all, whatever is
 * sent from there is still taken once.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { ProducerSummary } from '../../core/flow/producers.ts';
import type { LaneSummary } from '../../core/flow/summary.ts';
import { createInstallation, type Installation, type InstallationUrls } from '../../installation.ts';

export interface RetireContext extends InstallationUrls {
  /** All that are configured. */
  tenants: readonly string[];
  /** How long a lane may take to read a gap. */
  timeoutMs?: number;
  nowMs?: () => number;
  out?: { write(text: string): void };
  error?: { write(text: string): void };
}

export const retireUsage = `Usage: npm run hookwatch -- edge retire --edge NAME [options]

Declares that an edge is lost: in every lane, each of its starts that is still open, or whose missing records are waited
for. What is missing is then known to be lost, and nothing waits for it. Should the edge's disk turn up, start the edge
on it again: what it sends is still taken, for a week from now.

  --edge NAME       name of the edge (HOOKWATCH_EDGE_NAME)
  --boot ID         only this start of it; without --edge, of whatever edge it is
  --tenant NAME     only in the lane of this tenant
  --force           also where the edge seems to be at work
  --port-offset N   as given to npm start
  --help            this text

Exit code: 0 it is retired in all lanes, 1 in one it is not (it says why), 2 wrong usage.
`;

/** An edge ticks at least every ten seconds; its records may be a while on their way. */
const silentMsMin = 60_000;

interface Wanted {
  edge: string | undefined;
  boot: string | undefined;
  tenants: readonly string[];
  force: boolean;
}

/** A start of the edge in one lane. */
interface Found {
  tenant: string;
  lane: LaneSummary;
  producer: ProducerSummary;
}

/** Resolves to the exit code. `contextOf` is given the port offset as it was written. */
export async function retireCommand(
  args: string[],
  contextOf: (portOffset: string | undefined) => RetireContext,
): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      edge: { type: 'string' },
      boot: { type: 'string' },
      tenant: { type: 'string' },
      force: { type: 'boolean', default: false },
      'port-offset': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(retireUsage);
    return 0;
  }
  const context = contextOf(values['port-offset']);
  const { error = process.stderr } = context;
  const { edge, boot, tenant, force } = values;
  const fault = usageFault(edge ?? boot, tenant, context.tenants);
  if (fault) {
    error.write(`${fault}\n\n${retireUsage}`);
    return 2;
  }
  const wanted = { edge, boot, force, tenants: tenant === undefined ? context.tenants : [tenant] };
  return retire(wanted, context).catch((failure: Error) => {
    error.write(`${failure.message}\n`);
    return 1;
  });
}

function usageFault(which: string | undefined, tenant: string | undefined, known: readonly string[]) {
  if (!which) return 'Cannot retire an edge without its name: --edge NAME';
  if (tenant !== undefined && !known.includes(tenant)) {
    return `Cannot retire an edge for tenant ${tenant}: hookwatch.yaml knows ${known.join(', ')}`;
  }
  return undefined;
}

async function retire(wanted: Wanted, context: RetireContext): Promise<number> {
  const { out = process.stdout, nowMs = Date.now } = context;
  const installation = createInstallation(context);
  const lanes = await installation.lanes();
  const found = wanted.tenants.flatMap((tenant) => findStarts(tenant, lanes[tenant], wanted));
  const untold = wanted.tenants.filter((tenant) => !lanes[tenant]);
  for (const tenant of untold) out.write(`${tenant}: failed: nobody says how its lane stands; is a worker down?\n`);
  if (found.length === 0) return describeNothing(wanted, lanes, out) || (untold.length > 0 ? 1 : 0);

  const atWork = wanted.force ? [] : found.filter((start) => isAtWork(start, nowMs()));
  for (const { tenant, producer } of atWork) {
    out.write(
      `${tenant}: refused: ${nameOf(producer)} has ticked within the last minute of the lane. ` +
        'Stop it first and wait a minute, or use --force.\n',
    );
  }
  if (atWork.length > 0) return 1;

  const outcomes = await Promise.all(found.map((start) => declareGap(start, installation, context)));
  for (const { text } of outcomes) out.write(text);
  return outcomes.every(({ done }) => done) && untold.length === 0 ? 0 : 1;
}

/** Those that hold the lane's time, or for whose records it waits. */
function findStarts(tenant: string, lane: LaneSummary | undefined, { edge, boot }: Wanted): Found[] {
  if (!lane) return [];
  return lane.producers
    .filter((producer) => (edge === undefined || producer.edge === edge) && (boot ?? producer.boot) === producer.boot)
    .filter(({ retired, closed, missing }) => !retired && (!closed || missing > 0))
    .map((producer) => ({ tenant, lane, producer }));
}

/** By the time of the lane: where the worker is behind, every edge looks old by the clock. */
function isAtWork({ lane, producer }: Found, nowMs: number): boolean {
  const others = lane.producers.filter(({ boot }) => boot !== producer.boot).map(({ progress }) => progress);
  const newest = others.length > 0 ? Math.max(...others) : nowMs;
  return !producer.closed && producer.progress > newest - silentMsMin;
}

function describeNothing(
  { edge, boot }: Wanted,
  lanes: Record<string, LaneSummary>,
  out: { write(text: string): void },
) {
  const all = Object.values(lanes).flatMap((lane) => lane.producers);
  const known = all.some((producer) => producer.edge === edge || producer.boot === boot);
  const edges = [...new Set(all.filter(({ closed }) => !closed).map((producer) => producer.edge))].sort();
  const which = edge ?? `boot ${boot}`;
  if (known) out.write(`Nothing of ${which} is open or waited for.\n`);
  else out.write(`No lane knows ${which}; open are starts of: ${edges.join(', ') || 'none'}\n`);
  return known ? 0 : 1;
}

async function declareGap(
  { tenant, producer }: Found,
  installation: Installation,
  { timeoutMs = 10_000 }: RetireContext,
): Promise<{ done: boolean; text: string }> {
  const { boot, edge } = producer;
  try {
    const id = await installation.submit({
      tenant,
      kind: 'gap',
      idempotency_id: `retire-${boot}`,
      document: { boot, edge },
    });
    const deadline = performance.now() + timeoutMs;
    do {
      const lane = (await installation.lanes())[tenant];
      const now = lane?.producers.find((candidate) => candidate.boot === boot);
      if (now?.retired) return { done: true, text: `${tenant}: ${nameOf(now)} is retired; ${describeLoss(now)}\n` };
      await wait(50);
    } while (performance.now() < deadline);
    const hint = 'hookwatch.control says why in its remark';
    return { done: false, text: `${tenant}: failed: gap ${id} is journaled but not in effect; ${hint}\n` };
  } catch (failure) {
    return { done: false, text: `${tenant}: failed: ${(failure as Error).message}\n` };
  }
}

function describeLoss({ missing, seenSeq }: ProducerSummary): string {
  const known = missing === 0 ? 'no record is known to be lost' : `${missing} of its records are known to be lost`;
  return `${known}, and whatever it took after its record ${seenSeq} and did not send`;
}

function nameOf({ edge, boot }: ProducerSummary): string {
  return edge === '' ? `boot ${boot}` : `${edge} (boot ${boot})`;
}
