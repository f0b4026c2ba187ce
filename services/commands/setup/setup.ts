/**
 * What the containers of an installation are given: passwords, ClickHouse's users, Alertmanager's receivers, the demo's keys.
 * A folder each, for each is a volume that only its reader mounts.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keep, newPassword, prepareDemoKey, replace } from '../../secrets.ts';
import { clickhouseUsers } from './clickhouse-users.ts';

export interface SetupOptions {
  /** With the folders alertmanager, clickhouse, demo, grafana and sink; made where they are not there. */
  folder: string;
  /** Undefined: one is made at the first start. */
  analystPassword: string | undefined;
  /** Whether a tenant trusts the simulator's key. */
  demo: boolean;
  /** Text of alertmanager.yml. */
  alertmanager: string;
}

/** What people log in with. */
export interface Logins {
  /** Of Grafana's `admin`, as it is at its first start. */
  grafanaAdmin: string;
  /** Of ClickHouse's `analyst`. */
  analyst: string;
}

/**
 * Who reads a file is another user in another container, and one cannot give a file away without being root: what keeps it
 * from others is that nobody else mounts its volume.
 */
const readableByItsContainer = 0o644;

const filesOf = (folder: string) => ({
  sinkPassword: join(folder, 'sink', 'hookwatch.password'),
  grafanaAdmin: join(folder, 'grafana', 'admin.password'),
  analyst: join(folder, 'grafana', 'analyst.password'),
  users: join(folder, 'clickhouse', 'users.xml'),
  alertmanager: join(folder, 'alertmanager', 'alertmanager.yml'),
});

/**
 * Makes what is missing and writes anew what follows from settings: passwords that are there stay, whatever version of
 * Hookwatch made them. Resolves to the names of the files that are new or other than they were.
 */
export function setUp({ folder, analystPassword, demo, alertmanager }: SetupOptions): string[] {
  const files = filesOf(folder);
  const before = new Map(Object.values(files).map((file) => [file, textOf(file)]));
  const hookwatch = keep(files.sinkPassword, newPassword);
  keep(files.grafanaAdmin, newPassword, readableByItsContainer);
  if (analystPassword !== undefined) write(files.analyst, `${analystPassword}\n`);
  const analyst = keep(files.analyst, newPassword, readableByItsContainer);
  write(files.users, clickhouseUsers({ hookwatch, analyst }));
  write(files.alertmanager, alertmanager);
  const changed = [...before].filter(([file, text]) => textOf(file) !== text).map(([file]) => file);
  const demoKey = join(folder, 'demo', 'public.pem');
  if (demo && !existsSync(demoKey)) changed.push(demoKey);
  if (demo) prepareDemoKey(folder);
  return changed.map((file) => file.slice(folder.length + 1));
}

/** Undefined where nothing was set up yet. */
export function readLogins(folder: string): Logins | undefined {
  const { grafanaAdmin, analyst } = filesOf(folder);
  const [admin, reader] = [textOf(grafanaAdmin), textOf(analyst)];
  return admin !== undefined && reader !== undefined
    ? { grafanaAdmin: admin.trim(), analyst: reader.trim() }
    : undefined;
}

/** A file that is as it should be is left alone: who reads it would read it again for nothing. */
function write(file: string, text: string): void {
  if (textOf(file) !== text) replace(file, text, readableByItsContainer);
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
