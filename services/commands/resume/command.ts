/**
 * `hookwatch resume`: lets a lane go on whose log has lost what was worked on. By itself a lane never does: only people can
 * say that what is lost may be lost. They do so by a takeover of the flow from itself (services/worker/lost-log.ts).
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { LaneStatus } from '../../core/flow/summary.ts';
import { createInstallation, type Installation, type InstallationUrls, isWorkedOn } from '../../installation.ts';

export interface ResumeContext extends InstallationUrls {
  /** All that are configured. */
  tenants: readonly string[];
  /** How long a lane may take to go on. */
  timeoutMs?: number;
  out?: { write(text: string): void };
  error?: { write(text: string): void };
}

const resumeUsage = `Usage: npm run hookwatch -- resume --tenant NAME [options]

Lets a lane go on that has stopped because its log has lost what was worked on: from the newest checkpoint that the log
still agrees with, in the next epoch. What the log holds behind it is worked on once more. Rows to which nothing but lost
records led stay until "hookwatch rebuild". docs/runbooks/lane-stopped.md says when to do this.

  --tenant NAME     whose lane
  --port-offset N   as given to npm start
  --help            this text

Exit code: 0 the lane is worked on, 1 it is not (it says why), 2 wrong usage.
`;

interface Outcome {
  done: boolean;
  text: string;
}

/** Resolves to the exit code. `contextOf` is called once the arguments are known to be right. */
export async function resumeCommand(
  args: string[],
  contextOf: () => ResumeContext | Promise<ResumeContext>,
): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      tenant: { type: 'string' },
      'port-offset': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(resumeUsage);
    return 0;
  }
  const context = await contextOf();
  const { out = process.stdout, error = process.stderr, tenants, timeoutMs } = context;
  const { tenant } = values;
  if (tenant === undefined || !tenants.includes(tenant)) {
    error.write(
      `Cannot resume a lane without its tenant: hookwatch.yaml knows ${tenants.join(', ')}\n\n${resumeUsage}`,
    );
    return 2;
  }
  const failed = (failure: Error): Outcome => ({ done: false, text: failure.message });
  const { done, text } = await resume(tenant, createInstallation(context), timeoutMs).catch(failed);
  out.write(`${tenant}: ${done ? '' : 'failed: '}${text}\n`);
  return done ? 0 : 1;
}

async function resume(tenant: string, installation: Installation, timeoutMs = 10_000): Promise<Outcome> {
  const answersOf = async () => (await installation.statuses()).flatMap((lanes) => lanes[tenant] ?? []);
  const answers = await answersOf();
  const working = answers.find(isWorkedOn);
  if (working) return { done: true, text: `it is worked on already, in epoch ${working.epoch}` };
  const stopped = answers.find(({ lost }) => lost);
  if (!stopped) return describeOther(answers);
  const { epoch, flow, lost, position } = stopped;
  if (!lost?.ready) {
    return { done: false, text: `its log has yet to come past position ${position}: try again later` };
  }
  const document = { epoch: epoch! + 1, flow, previous: flow };
  await installation.submit({ tenant, kind: 'takeover', idempotency_id: `resume-${randomUUID()}`, document });
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const resumed = (await answersOf()).find(isWorkedOn);
    const from = lost.from < 0 ? 'the beginning of its log' : `its checkpoint at ${lost.from}`;
    if (resumed) return { done: true, text: `it goes on from ${from}, in epoch ${resumed.epoch}` };
    if (performance.now() >= deadline) return { done: false, text: 'asked for, but nobody works on it yet' };
    await wait(50);
  }
}

function describeOther(answers: readonly LaneStatus[]): Outcome {
  const [first] = answers;
  if (!first) return { done: false, text: 'nobody says how its lane stands; is a worker down?' };
  return { done: false, text: `its log has lost nothing: ${first.stopped}` };
}
