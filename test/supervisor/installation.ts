/** A whole Hookwatch, started as its user would, on free ports and with a data folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const entry = join(root, 'services', 'hookwatch.ts');
export type PartName = 'edge' | 'pipeline' | 'clickhouse' | 'worker' | 'sink' | 'console' | 'reconcile';

export interface Installation {
  readonly process: ChildProcess;
  readonly dataFolder: string;
  readonly urls: { edge: string; console: string; clickhouse: string };
  /** Everything printed so far. */
  output(): string;
  /** What the supervisor and its parts logged. */
  log(): LogLine[];
  /** Of the running child; undefined while it is dead. */
  pid(part: PartName): number | undefined;
  /** What a part said that it listens on; undefined before. */
  url(part: PartName): string | undefined;
  /** Ends when it has ended; with the code or the signal. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** Kills whatever still runs and removes the data. */
  dispose(): Promise<void>;
}

export interface LogLine {
  name: string;
  msg: string;
  part?: PartName;
  /** Of the part. */
  process?: number;
  /** What the part listens on, by name. */
  urls?: Record<string, string>;
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'hookwatch-start-'));
}

/** The environment of an installation on ports that the system chooses. */
export function environmentOf(dataFolder: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    HOOKWATCH_CONFIG: join(root, 'hookwatch.yaml'),
    HOOKWATCH_DATA: dataFolder,
    HOOKWATCH_EDGE_PORT: '0',
    HOOKWATCH_EDGE_INTERNAL_PORT: '0',
    HOOKWATCH_CONSOLE_PORT: '0',
    HOOKWATCH_CLICKHOUSE_PORT: '0',
    // The supervisor then logs which process is which.
    HOOKWATCH_LOG_LEVEL: 'info',
    ...more,
  };
}

/** Starts it, and resolves when it has printed its URLs; `program` is another version's hookwatch.ts. It leads a process group of its own, as in a terminal. */
export async function startInstallation(
  fields: { dataFolder?: string; env?: Record<string, string>; args?: string[]; program?: string } = {},
): Promise<Installation> {
  const dataFolder = fields.dataFolder ?? temporaryFolder();
  const env = environmentOf(dataFolder, fields.env);
  const child = spawn(process.execPath, [fields.program ?? entry, 'start', ...(fields.args ?? [])], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit').then(([code, signal]) => code ?? signal);
  const diary = keepDiary(child);
  const installation: Installation = {
    process: child,
    dataFolder,
    urls: { edge: '', console: '', clickhouse: '' },
    output: diary.output,
    log: diary.log,
    pid: diary.pid,
    url: (part) => diary.log().findLast((line) => line.part === part && line.urls)?.urls?.[part],
    ended,
    async dispose() {
      for (const pid of [child.pid!, ...diary.pids()]) kill(pid);
      await ended;
      await vi.waitFor(() => {
        if (diary.pids().some(isAlive)) throw new Error('a child of the supervisor still runs');
      });
      rmSync(dataFolder, { recursive: true, force: true });
    },
  };
  await Promise.race([diary.ready, ended]);
  const found = (label: string) => new RegExp(`^  ${label}\\s+(https?://[\\d.:]+)`, 'm').exec(diary.output())?.[1];
  const [edge, console, clickhouse] = ['Webhooks', 'Live page', 'ClickHouse'].map(found);
  if (!edge || !console || !clickhouse) {
    await installation.dispose();
    throw new Error(`Cannot start an installation; it printed:\n${diary.output()}`);
  }
  Object.assign(installation.urls, { edge, console, clickhouse });
  return installation;
}

/** Reads what a supervisor prints and logs. */
function keepDiary(child: ChildProcess) {
  const lines: string[] = [];
  const log: LogLine[] = [];
  const running = new Map<PartName, number>();
  const ready = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      lines.push(line);
      if (line.includes('Ctrl-C stops')) resolve();
    });
  });
  createInterface({ input: child.stderr! }).on('line', (line) => {
    lines.push(line);
    const entry = parse(line);
    if (!entry) return;
    log.push(entry);
    if (entry.name !== 'supervisor' || !entry.part) return;
    if (entry.msg === 'part started') running.set(entry.part, entry.process!);
    if (entry.msg.startsWith('part died')) running.delete(entry.part);
  });
  return {
    ready,
    output: () => lines.join('\n'),
    log: () => log,
    pid: (part: PartName) => running.get(part),
    pids: () => [...running.values()],
  };
}

function parse(line: string): LogLine | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // One that has ended and that nobody waits for: in a container the first process may not.
    return process.platform !== 'linux' || !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The value of a metric, summed over its labels; 0 where it is not exported yet. */
export async function metricOf(url: string, name: string, labels = ''): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
