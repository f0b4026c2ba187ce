/** The whole of docker-compose.yml as it is shipped, running; what is set is what .env could set. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Project, projectFolder, readProject } from './compose-file.ts';
import { makeOurImage, type OurImageOptions } from './our-image.ts';
import { createStack, type Stack } from './stack.ts';

export interface Installation {
  readonly stack: Stack;
  /** Those that are run: all that `docker compose up` starts, but for what nothing stands in for. */
  readonly services: readonly string[];
  /** As an analyst asks, by the password of setup's file unless another is given: rows of tabs and line breaks. */
  query(sql: string, password?: string): Promise<string>;
  /** As a change of .env: what is started from now on goes by it. */
  set(variables: Record<string, string>): void;
  close(): Promise<void>;
}

export interface InstallationOptions {
  /** Window of the rule account-created-then-servers: a detection is open for as long. Default as shipped. */
  within?: string;
  /** Where alerts are sent to, in the world outside. */
  webhookPath?: string;
  image?: OurImageOptions;
  change?(project: Project): void;
}

/** Nothing here is Grafana: its service is checked in test/dashboards and test/compose only. */
export const servicesLeftOut: readonly string[] = ['grafana'];
/** The world outside of the imitation: host.ts. */
const outsideUrl = 'http://203.0.113.1:9099';

export async function createInstallation(options: InstallationOptions = {}): Promise<Installation> {
  const { within, webhookPath, image = {}, change } = options;
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-stack-'));
  try {
    const configuration = readFileSync(join(projectFolder, 'hookwatch.yaml'), 'utf8');
    const file = join(folder, 'hookwatch.yaml');
    writeFileSync(file, within ? configuration.replace(/within: \w+/, `within: ${within}`) : configuration);
    const variables = {
      HOOKWATCH_CONFIG_FILE: file,
      HOOKWATCH_CHECKPOINT_SECONDS: '2',
      HOOKWATCH_DEMO_RATE: '20',
      HOOKWATCH_DEMO_SECONDS: '12',
      ...(webhookPath && { HOOKWATCH_ALERT_WEBHOOK_URL: `${outsideUrl}${webhookPath}` }),
    };
    const project = readProject({ variables });
    change?.(project);
    const stack = await createStack({
      project,
      folder,
      makeOurImage: (at, baseLayer) => makeOurImage(at, baseLayer, image),
      variablesOf: (service, { volume }) => (service === 'clickhouse' ? passwordsOf(volume) : {}),
    });
    return {
      stack,
      services: Object.entries(project.services)
        .filter(([name, { profiles = [] }]) => profiles.length === 0 && !servicesLeftOut.includes(name))
        .map(([name]) => name),
      query: (sql, password) => queryAsAnalyst(stack, sql, password),
      set(more) {
        Object.assign(project.services, readProject({ variables: { ...variables, ...more } }).services);
      },
      close: stack.close,
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function readPassword(file: string): string {
  return readFileSync(file, 'utf8').trim();
}

/**
 * The embedded engine is told what the server is told the hash of: it is in setup's files for those who connect.
 * @throws where the server would not let them in
 */
function passwordsOf(volume: Stack['volume']): Record<string, string> {
  const users = readFileSync(join(volume('setup-clickhouse'), 'users.xml'), 'utf8');
  const passwords = {
    hookwatch: readPassword(join(volume('setup-sink'), 'hookwatch.password')),
    analyst: readPassword(join(volume('setup-grafana'), 'analyst.password')),
  };
  for (const [name, password] of Object.entries(passwords)) {
    const [, own = ''] = new RegExp(`<${name}>(.*?)</${name}>`, 's').exec(users.slice(users.indexOf('<users>'))) ?? [];
    const hash = createHash('sha256').update(password).digest('hex');
    if (!own.includes(`<password_sha256_hex>${hash}<`)) throw new Error(`ClickHouse has another password for ${name}`);
  }
  return { STANDIN_HOOKWATCH_PASSWORD: passwords.hookwatch, STANDIN_ANALYST_PASSWORD: passwords.analyst };
}

async function queryAsAnalyst({ host, volume }: Stack, sql: string, given?: string): Promise<string> {
  const password = given ?? readPassword(join(volume('setup-grafana'), 'analyst.password'));
  const { status, body } = await host.request(`http://127.0.0.1:8123/?query=${encodeURIComponent(sql)}`, {
    headers: { 'x-clickhouse-user': 'analyst', 'x-clickhouse-key': password },
  });
  if (status !== 200) throw new Error(`ClickHouse answers ${status}: ${body}`);
  return body;
}
