/** `hookwatch setup`: prepares what the containers of docker-compose.yml are given, or shows what people log in with. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readLogins, type SetupOptions, setUp } from './setup.ts';

export const setupUsage = `Usage: hookwatch setup DIR [show]

Makes what the containers of docker-compose.yml are given, in folders of DIR: passwords, ClickHouse's users,
Alertmanager's receivers (HOOKWATCH_ALERT_*), and the simulator's keys where a tenant is a demo. Runs at every start:
what is there stays, so nobody gets a new password.

  show      prints the passwords that people need, and changes nothing
  --help    this text

Exit codes: 0 done, 1 failed, 2 wrong usage or settings.
`;

export interface SetupContext extends Omit<SetupOptions, 'folder'> {
  /** Host name of the edges; undefined is localhost. */
  domain: string | undefined;
}

type Output = { write(text: string): void };

/** Resolves to the exit code. `contextOf` is called when something is to be made. Throws ConfigError. */
export function setupCommand(
  args: readonly string[],
  contextOf: () => SetupContext,
  { out = process.stdout, error = process.stderr }: { out?: Output; error?: Output } = {},
): number {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true });
  const [folder, action, ...more] = positionals;
  if (folder === undefined || (action !== undefined && action !== 'show') || more.length > 0) {
    error.write(setupUsage);
    return 2;
  }
  if (action === 'show') return show(resolve(folder), out, error);
  const { domain, ...options } = contextOf();
  for (const file of setUp({ folder: resolve(folder), ...options })) out.write(`wrote ${file}\n`);
  if (domain && domain !== 'localhost' && options.demo) {
    error.write(
      `Warning: ${domain} is public, and a tenant has demo: true, so its tokens stand in hookwatch.yaml for everyone to ` +
        'read. Leave demo out of a real one.\n',
    );
  }
  return 0;
}

function show(folder: string, out: Output, error: Output): number {
  const logins = readLogins(folder);
  if (!logins) {
    error.write('Cannot show passwords: none were made yet. `docker compose up` makes them.\n');
    return 1;
  }
  out.write(`Grafana      user admin     password ${logins.grafanaAdmin}  (until it is changed there)\n`);
  out.write(`ClickHouse   user analyst   password ${logins.analyst}\n`);
  return 0;
}
