/** A real Alertmanager with the shipped configuration. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { programPath } from '../../compose/tools.ts';
import { repository } from '../prometheus/rule-files.ts';

export const base = readFileSync(join(repository, 'dashboards/alertmanager/alertmanager.yml'), 'utf8');

export interface Alert {
  labels: Record<string, string>;
  annotations?: Record<string, string>;
  endsAt?: string;
}
export interface KnownAlert extends Alert {
  receivers: { name: string }[];
  status: { state: string; inhibitedBy: string[] };
}

/** @param authority PEM of who is trusted to name servers */
export async function startAlertmanager(config: string, authority = '') {
  const folder = temporaryFolder();
  const [file, trusted] = [join(folder, 'alertmanager.yml'), join(folder, 'authority.pem')];
  writeFileSync(file, config);
  writeFileSync(trusted, authority);
  const flags = [
    `--config.file=${file}`,
    `--storage.path=${folder}`,
    '--web.listen-address=127.0.0.1:0',
    '--cluster.listen-address=',
  ];
  const child = spawn(programPath('alertmanager'), flags, {
    cwd: folder,
    env: { SSL_CERT_FILE: trusted },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill();
    await ended;
  });
  const log: string[] = [];
  const lines = createInterface(child.stderr);
  const address = await new Promise<string>((resolve, reject) => {
    ended.then(() => reject(new Error(`Alertmanager has ended:\n${log.join('\n')}`)));
    lines.on('line', (line) => {
      log.push(line);
      const [, found] = /Listening on.* address=(\S+)/.exec(line) ?? [];
      if (found) resolve(found);
    });
  });
  return {
    log,
    /** As Prometheus tells it of alerts. */
    async tell(...alerts: Alert[]): Promise<void> {
      const response = await fetch(`http://${address}/api/v2/alerts`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(alerts),
      });
      if (!response.ok) throw new Error(`Alertmanager answers ${response.status}: ${await response.text()}`);
    },
    async alerts(): Promise<KnownAlert[]> {
      return (await (await fetch(`http://${address}/api/v2/alerts`)).json()) as KnownAlert[];
    },
    async groups(): Promise<{ labels: Record<string, string>; alerts: KnownAlert[] }[]> {
      return (await (await fetch(`http://${address}/api/v2/alerts/groups`)).json()) as never;
    },
  };
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-alertmanager-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
