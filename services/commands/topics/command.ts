/** `hookwatch topics`: compares the topics of Kafka with what they should be, and makes them so. */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Kafka } from '../../ports/log/kafka.ts';
import { planTopics, type TopicSettings, type TopicsPlan, wantedTopics } from '../../ports/log/topics.ts';

export interface TopicsContext {
  /** Closed at the end. */
  kafka: Pick<Kafka, 'admin' | 'close'>;
  settings: TopicSettings;
  out?: { write(text: string): void };
}

const usage = `Usage: npm run hookwatch -- topics [--apply]

Shows what has to be done so that the topics of Kafka are as HOOKWATCH_KAFKA_* say: which to create, which settings to
change. The number of partitions never changes: a lane's partition follows from it, and its records must stay in order.

  --apply   does it
  --help    this text

Exit code: 0 all is as it should be, 1 something is not (it says what), 2 wrong usage or settings.
`;

const settleMsMax = 10_000;
const settlePollMs = 50;

/** Resolves to the exit code. */
export async function topicsCommand(args: string[], contextOf: () => Promise<TopicsContext>): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      apply: { type: 'boolean', default: false },
      // Taken by every command; topics have no ports.
      'port-offset': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const { kafka, settings, out = process.stdout } = await contextOf();
  try {
    return await run(kafka, settings, values.apply, (line) => out.write(`${line}\n`));
  } catch (error) {
    out.write(`failed: ${(error as Error).message}\n`);
    return 1;
  } finally {
    await kafka.close();
  }
}

async function run(
  { admin }: TopicsContext['kafka'],
  settings: TopicSettings,
  apply: boolean,
  print: (line: string) => void,
): Promise<number> {
  const names = [...wantedTopics(settings).keys()];
  const look = async () => planTopics(settings, await admin.describe(names));
  const plan = await look();
  for (const line of describePlan(plan)) print(line);
  if (plan.impossible.length > 0) return 1;
  if (plan.create.size + plan.change.size === 0) {
    print(`nothing to do: ${names.length} topics are as they should be`);
    return 0;
  }
  if (!apply) {
    print('to do this: hookwatch topics --apply');
    return 1;
  }
  if (plan.create.size > 0) await admin.create(plan.create);
  for (const [name, changes] of plan.change) {
    await admin.configure(name, Object.fromEntries(changes.map(({ name, to }) => [name, to])));
  }
  const left = await waitUntilDone(look);
  for (const line of left.length > 0 ? left : ['done']) print(line);
  return left.length > 0 ? 1 : 0;
}

/** Brokers hear of a change one after the other. Resolves to what is still not as it should be. */
async function waitUntilDone(look: () => Promise<TopicsPlan>): Promise<string[]> {
  for (const untilMs = performance.now() + settleMsMax; ; await wait(settlePollMs)) {
    const left = await look().then(describePlan, (error: Error) => [`failed: ${error.message}`]);
    if (left.length === 0 || performance.now() > untilMs) return left;
  }
}

/** A line for each thing to do and each that cannot be done. */
function describePlan({ create, change, impossible }: TopicsPlan): string[] {
  const settingsOf = (config: Readonly<Record<string, string>>) =>
    Object.entries(config).map(([name, value]) => `${name}=${value}`);
  return [
    ...[...create].map(
      ([name, { partitions, replication, config }]) =>
        `create ${name}: ${partitions} partitions, ${replication} replicas, ${settingsOf(config).join(' ')}`,
    ),
    ...[...change].flatMap(([name, changes]) =>
      changes.map((change) => `change ${name}: ${change.name} from ${change.from ?? 'nothing'} to ${change.to}`),
    ),
    ...impossible.map((fault) => `cannot change ${fault}`),
  ];
}
