/**
 * An installation over Kafka whose processes are started one by one, each as its user would: `hookwatch edge`,
 * `worker`, `sink`, `console`, `clickhouse`, any number of each, with a data folder for each edge.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { loadConfig } from '../../services/config.ts';
import { centurylinkEvents } from '../../services/core/providers/centurylink/event-names.ts';
import { prepareSecrets } from '../../services/secrets.ts';
import { entry, isAlive } from '../supervisor/installation.ts';

export type ClusterPart = 'edge' | 'worker' | 'sink' | 'console' | 'clickhouse';

export interface ClusterProcess {
  readonly part: ClusterPart;
  readonly pid: number;
  /** What it listens on, in the order in which it says so. */
  readonly urls: readonly string[];
  /** What it logged, a line of JSON each. */
  log(): readonly string[];
  /** Sends a signal; under SIGKILL and SIGTERM it resolves with how it ended. */
  signal(name: NodeJS.Signals): Promise<number | NodeJS.Signals | undefined>;
}

export interface Cluster {
  readonly tenants: readonly string[];
  /**
   * Resolves when it works. `env` comes on top of the cluster's own; `name` is the edge's, and names its data folder;
   * `program` is another version's hookwatch.ts.
   */
  start(
    part: ClusterPart,
    options?: { name?: string; env?: Record<string, string>; program?: string },
  ): Promise<ClusterProcess>;
  /** Runs a command of hookwatch to its end. */
  run(args: string[], env?: Record<string, string>, program?: string): Promise<{ code: number | null; output: string }>;
  dataFolder(name?: string): string;
  /** The environment of its processes. */
  readonly env: Readonly<Record<string, string>>;
  dispose(): Promise<void>;
}

export interface ClusterOptions {
  bootstrap: readonly string[];
  prefix: string;
  tenants?: readonly string[];
  /** Where all of it lies; the system's folder for what is temporary unless given. */
  parentFolder?: string;
  partitions?: number;
  env?: Record<string, string>;
}

/** Endpoints of a tenant: their tokens are `<tenant>-<event>`, in lower case, dots as dashes. */
function describeTenant(name: string): object {
  const endpoints = centurylinkEvents.map((event) => {
    const slug = event.toLowerCase().replace('.', '-');
    return { name: slug, provider: 'centurylink', event, account: 'NWND', recursive: true, token: `${name}-${slug}` };
  });
  return { name, demo: true, roots: ['centurylink:NWND'], endpoints };
}

export function createCluster(options: ClusterOptions): Cluster {
  const { tenants = ['northwind'], partitions = 4, parentFolder = tmpdir() } = options;
  const folder = mkdtempSync(join(parentFolder, 'hookwatch-cluster-'));
  const configFile = join(folder, 'hookwatch.yaml');
  writeFileSync(configFile, JSON.stringify({ tenants: tenants.map(describeTenant) }));
  const running = new Map<number, ChildProcess>();
  const dataFolder = (name = 'shared') => join(folder, name);
  const env = {
    PATH: process.env.PATH ?? '',
    HOOKWATCH_CONFIG: configFile,
    HOOKWATCH_KAFKA_BROKERS: options.bootstrap.join(','),
    HOOKWATCH_KAFKA_PREFIX: options.prefix,
    HOOKWATCH_KAFKA_PARTITIONS: String(partitions),
    HOOKWATCH_KAFKA_REPLICATION: '1',
    HOOKWATCH_KAFKA_MIN_ISR: '1',
    HOOKWATCH_LOG_LEVEL: 'info',
    HOOKWATCH_DATA: dataFolder(),
    ...Object.fromEntries(
      ['EDGE', 'EDGE_INTERNAL', 'CONSOLE', 'CLICKHOUSE', 'WORKER', 'SINK'].map((part) => [
        `HOOKWATCH_${part}_PORT`,
        '0',
      ]),
    ),
    ...options.env,
  };
  // One key for all edges, and for whoever sends.
  prepareSecrets(loadConfig(env));

  return {
    tenants,
    env,
    dataFolder,
    async start(part, { name, env: more = {}, program = entry } = {}) {
      const own = name === undefined ? {} : { HOOKWATCH_EDGE_NAME: name, HOOKWATCH_DATA: dataFolder(name) };
      if (name !== undefined) cpSync(join(dataFolder(), 'demo'), join(dataFolder(name), 'demo'), { recursive: true });
      const child = spawn(process.execPath, [program, part], {
        env: { ...env, ...own, ...more },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      running.set(child.pid!, child);
      const ended = once(child, 'exit').then(([code, signal]) => {
        running.delete(child.pid!);
        return (code ?? signal) as number | NodeJS.Signals;
      });
      const log: string[] = [];
      const urls: string[] = [];
      createInterface({ input: child.stderr! }).on('line', (line) => log.push(line));
      const ready = new Promise<void>((resolve) => {
        createInterface({ input: child.stdout! }).on('line', (line) => {
          urls.push(line);
          // Printed together: an edge has two.
          if (urls.length === (part === 'edge' ? 2 : 1)) resolve();
        });
      });
      const early = await Promise.race([ready, ended]);
      if (early !== undefined) throw new Error(`hookwatch ${part} ended with ${early}:\n${log.slice(-40).join('\n')}`);
      return {
        part,
        pid: child.pid!,
        urls,
        log: () => log,
        async signal(signal) {
          child.kill(signal);
          return signal === 'SIGKILL' || signal === 'SIGTERM' ? ended : undefined;
        },
      };
    },
    async run(args, more = {}, program = entry) {
      const child = spawn(process.execPath, [program, ...args], {
        env: { ...env, ...more },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      for (const stream of [child.stdout!, child.stderr!]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
        });
      }
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, output };
    },
    async dispose() {
      const left = [...running.values()];
      for (const child of left) {
        child.kill('SIGCONT');
        child.kill('SIGKILL');
      }
      await Promise.all(left.filter(({ pid }) => isAlive(pid!)).map((child) => once(child, 'exit')));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
