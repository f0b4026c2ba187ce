/**
 * The kinds of tests, told apart by the end of a file's name: what each needs of the machine and how it is run.
 * vitest.config.ts makes a vitest project of each; scripts/test.mjs runs those that this machine can run.
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { missingTools } from '../test/compose/tools.ts';
import { missingJars } from '../test/kafka/jars.ts';
import { findChromium, findOnPath, isExecutable } from './programs.ts';
import { findEngineProblem, readManifest, thisMachine } from './requirements.mjs';

/** `ready` with the variables that tests then find in their environment, or what to do to run them. */
export type Readiness = { ready: true; environment?: Record<string, string> } | { ready: false; remedy: string };

export interface Project {
  name: string;
  /** End of the names of its files: `<anything><suffix>`. */
  suffix: string;
  /** Files that run at the same time. */
  workersMax: number;
  /** Limit of a test and of a hook. */
  timeoutMs: number;
  readiness(): Readiness;
}

const cores = availableParallelism();
const ready: Readiness = { ready: true };
const javaVersionMin = 17;

/** In the order in which they run, the quickest answers first. Only `node` has no suffix of its own. */
export const projects: readonly Project[] = [
  { name: 'node', suffix: '.test.ts', workersMax: Math.min(cores, 8), timeoutMs: 20_000, readiness: () => ready },
  // Each file starts the engine, a library of 500 MB, in a process of its own.
  { name: 'engine', suffix: '.engine.test.ts', workersMax: halfOf(cores), timeoutMs: 60_000, readiness: engine },
  { name: 'browser', suffix: '.browser.test.ts', workersMax: halfOf(cores), timeoutMs: 60_000, readiness: browser },
  { name: 'python', suffix: '.python.test.ts', workersMax: 1, timeoutMs: 60_000, readiness: python },
  { name: 'strace', suffix: '.strace.test.ts', workersMax: 1, timeoutMs: 60_000, readiness: strace },
  // Each file starts a broker or three, in Java.
  { name: 'kafka', suffix: '.kafka.test.ts', workersMax: 1, timeoutMs: 120_000, readiness: kafka },
  // The files of the compose stack under the programs that will read them; one runs all of its services.
  { name: 'compose', suffix: '.compose.test.ts', workersMax: 1, timeoutMs: 300_000, readiness: compose },
  // Crash tests measure time and load every core: one at a time.
  { name: 'faults', suffix: '.faults.test.ts', workersMax: 1, timeoutMs: 600_000, readiness: engine },
];

function halfOf(count: number): number {
  return Math.max(1, Math.min(4, Math.floor(count / 2)));
}

function succeeds(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 20_000 }).status === 0;
}

function engine(): Readiness {
  const problem = findEngineProblem(thisMachine(), readManifest());
  return problem ? { ready: false, remedy: problem } : ready;
}

function browser(): Readiness {
  const chromium = findChromium();
  if (chromium && isExecutable(chromium)) return { ready: true, environment: { CHROMIUM: chromium } };
  if (chromium) return { ready: false, remedy: `set CHROMIUM to the path of Chromium; it is ${chromium}` };
  const onLinux = process.platform === 'linux';
  return { ready: false, remedy: onLinux ? 'apt-get install chromium' : 'set CHROMIUM to the path of Chromium' };
}

function python(): Readiness {
  const interpreter = process.env.HOOKWATCH_PYTHON || 'python3';
  if (!succeeds(interpreter, '-c', 'import clickhouse_connect')) {
    return { ready: false, remedy: 'pip install clickhouse-connect (HOOKWATCH_PYTHON names another python3)' };
  }
  const withEngine = engine();
  return withEngine.ready ? { ready: true, environment: { HOOKWATCH_PYTHON: interpreter } } : withEngine;
}

function strace(): Readiness {
  if (process.platform !== 'linux') return { ready: false, remedy: 'run the tests on Linux' };
  if (!findOnPath(['strace'])) return { ready: false, remedy: 'apt-get install strace' };
  if (succeeds('strace', '-f', '-o', '/dev/null', 'true')) return ready;
  return { ready: false, remedy: 'permit ptrace (in a container: --cap-add=SYS_PTRACE)' };
}

/** The jars are fetched by the first test that needs them; from then on only Java is needed. */
function kafka(): Readiness {
  const { stderr } = spawnSync('java', ['-version'], { encoding: 'utf8', timeout: 20_000 });
  const version = Number(/version "(\d+)/.exec(stderr ?? '')?.[1] ?? 0);
  if (version < javaVersionMin) return { ready: false, remedy: 'apt-get install default-jre-headless maven' };
  // Some hold what is in Kafka against what is in ClickHouse.
  if (missingJars().length === 0 || process.env.HOOKWATCH_MAVEN_URL || findOnPath(['mvn'])) return engine();
  return { ready: false, remedy: 'apt-get install maven (or set HOOKWATCH_MAVEN_URL to a Maven repository)' };
}

/** The stack runs in namespaces in place of containers, with Kafka and the engine in place of their images. */
function compose(): Readiness {
  const remedies = missingTools();
  const wanted = ['ip', 'wget', 'nsenter', 'setpriv'].filter((name) => !findOnPath([name]));
  if (wanted.length > 0) remedies.push(`apt-get install iproute2 util-linux wget (${wanted.join(', ')})`);
  if (!succeeds('unshare', '--mount', '--net', '--pid', '--fork', 'true')) {
    remedies.push('run the tests on Linux as root (in a container: --cap-add=SYS_ADMIN --cap-add=NET_ADMIN)');
  }
  const withKafka = kafka();
  if (!withKafka.ready) remedies.push(withKafka.remedy);
  return remedies.length > 0 ? { ready: false, remedy: remedies.join('; ') } : ready;
}
