/**
 * `hookwatch upgrade`: lets a version of the flow take over the lanes. Starting a version changes nothing; this alone
 * does, by a takeover record in each lane. The versions before and behind it find it there, whichever runs when.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { LaneStatus } from '../../core/flow/summary.ts';
import { createInstallation, type Installation, type InstallationUrls, isWorkedOn } from '../../installation.ts';

export interface UpgradeContext extends InstallationUrls {
  /** All that are configured. */
  tenants: readonly string[];
  /** Hash of this version's flow. */
  flow: string;
  /** How long a lane may take to be worked on by the other flow. */
  timeoutMs?: number;
  out?: { write(text: string): void };
  error?: { write(text: string): void };
}

const usage = `Usage: npm run hookwatch -- upgrade [options]

Lets this version work on the lanes from here on, where another one has worked on them. It may be running already: its
lanes then say that they wait for this. What was found before stays as it was; "hookwatch rebuild" works it out anew.
To go back run the same command of the version before.

  --tenant NAME     only the lane of this tenant
  --to HASH         the flow that is to take over, as its lanes name it; this version's unless given
  --port-offset N   as given to npm start
  --help            this text

Exit code: 0 it works on all lanes, or will as soon as it is started, 1 on one it does not (it says why), 2 wrong usage.
`;

interface Outcome {
  done: boolean;
  text: string;
}

/** Resolves to the exit code. `contextOf` is called once the arguments are known to be right. */
export async function upgradeCommand(
  args: string[],
  contextOf: () => UpgradeContext | Promise<UpgradeContext>,
): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      tenant: { type: 'string' },
      to: { type: 'string' },
      'port-offset': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const context = await contextOf();
  const { out = process.stdout, error = process.stderr } = context;
  const { tenant, to = context.flow } = values;
  if (tenant !== undefined && !context.tenants.includes(tenant)) {
    error.write(`Cannot upgrade tenant ${tenant}: hookwatch.yaml knows ${context.tenants.join(', ')}\n\n${usage}`);
    return 2;
  }
  const installation = createInstallation(context);
  let failures = 0;
  for (const name of tenant === undefined ? context.tenants : [tenant]) {
    const failed = (failure: Error) => ({ done: false, text: failure.message });
    const { done, text } = await upgrade(name, to, installation, context.timeoutMs).catch(failed);
    if (!done) failures++;
    out.write(`${name}: ${done ? '' : 'failed: '}${text}\n`);
  }
  return failures === 0 ? 0 : 1;
}

async function upgrade(tenant: string, to: string, installation: Installation, timeoutMs = 10_000): Promise<Outcome> {
  const answersOf = async () => (await installation.statuses()).flatMap((lanes) => lanes[tenant] ?? []);
  const now = newestOf(await answersOf());
  if (!now) return { done: false, text: 'nobody says how its lane stands; is a worker down?' };
  if (now.epoch === undefined || !now.flow) return { done: false, text: `its lane has stopped: ${now.stopped}` };
  if (now.flow === to) return describeOwn(now, to);

  const epoch = now.epoch + 1;
  await installation.submit({
    tenant,
    kind: 'takeover',
    idempotency_id: `upgrade-${epoch}-${to}`,
    document: { epoch, flow: to, previous: now.flow },
  });
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answers = await answersOf();
    const working = answers.find((lane) => isWorkedOn(lane) && lane.flow === to);
    if (working) return { done: true, text: `flow ${to} works on it, in epoch ${working.epoch}` };
    if (performance.now() >= deadline) return describeWaiting(answers, to);
    await wait(50);
  }
}

/** Of several answers the one that knows most: whoever works on the lane, else who has come furthest. */
function newestOf(answers: readonly LaneStatus[]): LaneStatus | undefined {
  const rank = (lane: LaneStatus) => [lane.epoch ?? 0, isWorkedOn(lane) ? 1 : 0, lane.position ?? -1];
  return answers.toSorted((a, b) => compare(rank(b), rank(a)))[0];
}

function compare(a: readonly number[], b: readonly number[]): number {
  return a.map((value, index) => value - b[index]!).find((difference) => difference !== 0) ?? 0;
}

function describeOwn(lane: LaneStatus, to: string): Outcome {
  if (isWorkedOn(lane)) return { done: true, text: `flow ${to} works on it already` };
  const { takeover, stopped } = lane;
  if (takeover) return { done: false, text: `flow ${takeover.flow} is to take over first: ${stopped}` };
  return { done: true, text: `it belongs to flow ${to} already: ${stopped}` };
}

/** What is left to do where the other flow does not work on the lane yet. */
function describeWaiting(answers: readonly LaneStatus[], to: string): Outcome {
  const waiting = answers.filter(({ takeover }) => takeover?.flow === to);
  const ready = waiting.find(({ takeover }) => takeover?.ready);
  if (ready) {
    const { flow, takeover } = ready;
    return { done: true, text: `flow ${flow} has finished at position ${takeover?.position}: start flow ${to} now` };
  }
  const [first] = waiting;
  if (first) return { done: false, text: first.stopped };
  return { done: false, text: 'the takeover is journaled but not in effect; hookwatch.control says why in its remark' };
}
