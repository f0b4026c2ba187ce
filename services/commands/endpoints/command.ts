/** `hookwatch endpoints`: which URLs there are, without a restart of anything. */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type Config, ConfigError, hashToken, type TenantConfig } from '../../config.ts';
import { providers } from '../../core/providers/providers.ts';
import {
  type EndpointDefinition,
  type EndpointsContent,
  hashEndpoints,
  loadEndpoints,
  mergeEndpoints,
} from '../../endpoints-file.ts';
import { createInstallation, type InstallationUrls } from '../../installation.ts';
import { settingsOf } from '../../settings.ts';
import { bringSettings, type Outcome, type SettingsDocument } from '../apply/settings.ts';
import { explain } from '../failures.ts';
import {
  addEndpoint,
  ChangeError,
  configuredOf,
  disableEndpoint,
  enableEndpoint,
  findEntry,
  type NewSecret,
  problemsOf,
  rotateSecret,
  rotateToken,
} from './changes.ts';
import { type EdgeReport, waitForEdges } from './edges.ts';
import { changeEndpoints, type SecretText, secretFileOf } from './file.ts';
import { listEndpoints } from './list.ts';
import { type ChangeReport, describeChange } from './report.ts';
import { parseRequest, type Request } from './usage.ts';

export interface EndpointsContext {
  config: Pick<Config, 'tenants' | 'endpointsFile' | 'edgeUrls'>;
  /** How providers reach the edges; undefined where that is not set. */
  publicUrl?: string | undefined;
  /** Asked only where a lane is to be told, or asked. */
  urls: () => Promise<InstallationUrls>;
  /** How long edges, and then a lane, may take. */
  timeoutMs?: number;
  nowMs?: () => number;
  out?: { write(text: string): void };
  error?: { write(text: string): void };
}

const timeoutMsByDefault = 30_000;

/** Resolves to the exit code. `contextOf` is asked once the arguments are known to be right. */
export async function endpointsCommand(args: readonly string[], contextOf: () => EndpointsContext): Promise<number> {
  const request = parseRequest(args);
  const context = contextOf();
  const { out = process.stdout, error = process.stderr } = context;
  if (request.action === 'list') return listEndpoints(context, request.values, out);
  const tenant = tenantOf(context.config.tenants, request.values.tenant);
  try {
    const report = await change(request, tenant, context);
    out.write(request.values.json ? `${JSON.stringify(report)}\n` : describeChange(report, context.publicUrl));
    return report.done ? 0 : 1;
  } catch (failure) {
    if (failure instanceof ConfigError) throw failure;
    error.write(`${explain(failure)}\n`);
    return 1;
  }
}

function tenantOf(tenants: readonly TenantConfig[], name: string | undefined): TenantConfig {
  const found =
    name === undefined && tenants.length === 1 ? tenants[0] : tenants.find((tenant) => tenant.name === name);
  if (found) return found;
  const known = tenants.map((tenant) => tenant.name).join(', ');
  throw new ConfigError(`Cannot tell whose endpoint it is: --tenant must be one of ${known}`);
}

async function change(request: Request, tenant: TenantConfig, context: EndpointsContext): Promise<ChangeReport> {
  const { config, timeoutMs = timeoutMsByDefault } = context;
  const { action, name, values } = request;
  const token = action === 'add' || (action === 'rotate' && !values['secret-file']) ? newToken() : undefined;
  const tokenFile = openNew(values['token-file']);
  const text = readSecret(values['secret-file']);
  const content = await changeEndpoints(config.endpointsFile, (before) => {
    const secretId = `secret-${before.revision + 1}`;
    const file = secretFileOf(tenant.name, name, secretId);
    const secret = text === undefined ? undefined : { id: secretId, file };
    const nowMs = (context.nowMs ?? Date.now)();
    const after = apply(before, { request, tenant, token, secret, nowMs });
    const brought: SecretText | undefined = text === undefined ? undefined : { file, text };
    refuseUnusable(config.tenants, after, { tenant, name, brought });
    return { content: after, secret: brought };
  }).catch((failure) => {
    if (tokenFile) rmSync(tokenFile.path);
    throw failure;
  });
  const place = { action, tenant: tenant.name, name };
  const report = { ...place, ...handOver(token, tokenFile), ...endsOf(content, tenant, request) };
  if (values['no-wait']) return { ...report, done: true, waited: false };
  const edges = await waitForEdges(config.edgeUrls, () => hashEndpoints(loadEndpoints(config)), timeoutMs);
  const lane = await tellLane(tenant.name, name, context, timeoutMs);
  return { ...report, done: edges.every(isReady) && !('failure' in lane), waited: true, edges, lane };
}

const isReady = ({ ready }: EdgeReport) => ready;

interface Change {
  request: Request;
  tenant: TenantConfig;
  token: string | undefined;
  secret: NewSecret | undefined;
  nowMs: number;
}

function apply(content: EndpointsContent, { request, tenant, token, secret, nowMs }: Change): EndpointsContent {
  const { action, name, values, graceMs } = request;
  if (action === 'disable') return disableEndpoint(content, tenant, { name, nowMs });
  if (action === 'enable') return enableEndpoint(content, tenant, name);
  if (action === 'rotate' && secret) {
    return rotateSecret(content, tenant, { name, secret, alone: values.now === true, nowMs });
  }
  const sha256 = hashToken(token!);
  if (action === 'rotate') return rotateToken(content, tenant, { name, sha256, graceMs, nowMs });
  const definition = definitionOf(request);
  return addEndpoint(content, tenant, { name, definition, sha256, secret, nowMs });
}

/** @throws ConfigError with every mistake. */
function definitionOf({ name, values }: Request): EndpointDefinition {
  const { provider: named = '', event = '', account = '', recursive = false } = values;
  const provider = providers.get(named);
  if (!provider) {
    throw new ConfigError(`Cannot add ${name}: --provider must be one of ${[...providers.keys()].join(', ')}`);
  }
  const definition = { provider: named, event, account, recursive };
  const problems = problemsOf(name, definition);
  if (provider.trust !== 'secret' && values['secret-file']) problems.push(`secret-file: ${named} has no secrets`);
  if (problems.length > 0) throw new ConfigError(`Cannot add ${name}:\n  ${problems.join('\n  ')}`);
  return { ...definition, account: provider.canonicalAccount(account) };
}

/** Edges would refuse the file as a whole. */
function refuseUnusable(
  tenants: readonly TenantConfig[],
  content: EndpointsContent,
  { tenant, name, brought }: { tenant: TenantConfig; name: string; brought: SecretText | undefined },
): void {
  const entry = findEntry(content, { tenant: tenant.name, name })!;
  const provider = configuredOf(tenant, name)?.provider ?? entry.definition?.provider ?? '';
  if (brought && providers.get(provider)?.trust !== 'secret') throw new ChangeError(`${provider} has no secrets`);
  if (brought) {
    try {
      providers.get(provider)!.parseKey(entry.secrets!.at(-1)!.id, brought.text);
    } catch (cause) {
      throw new ChangeError(`The secret is none of ${provider}: ${(cause as Error).message}`, { cause });
    }
  }
  // Tokens that are given twice, which only hookwatch.yaml could do.
  const bare = content.endpoints.map(({ secrets: _, ...rest }) => rest);
  mergeEndpoints(tenants, { content: { ...content, endpoints: bare }, secretTexts: new Map() });
}

function readSecret(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    const text = readFileSync(path, 'utf8').trim();
    if (text !== '') return text;
  } catch (cause) {
    throw new ConfigError(`Cannot read --secret-file ${path}: ${(cause as Error).message}`, { cause });
  }
  throw new ConfigError(`Cannot use --secret-file ${path}: it is empty`);
}

/** The token's file, made before anything is changed. @throws ConfigError where there is a file, or can be none. */
function openNew(path: string | undefined): { path: string; descriptor: number } | undefined {
  if (path === undefined) return undefined;
  try {
    return { path, descriptor: openSync(path, 'wx', 0o600) };
  } catch (cause) {
    throw new ConfigError(`Cannot write --token-file ${path}: ${(cause as Error).message}`, { cause });
  }
}

function handOver(
  token: string | undefined,
  file: ReturnType<typeof openNew>,
): Pick<ChangeReport, 'token' | 'tokenFile'> {
  if (token === undefined) return {};
  if (!file) return { token };
  writeFileSync(file.descriptor, `${token}\n`);
  closeSync(file.descriptor);
  return { tokenFile: file.path };
}

/** 256 bits: cannot be guessed, whoever tries for however long. */
function newToken(): string {
  return randomBytes(32).toString('base64url');
}

function endsOf(content: EndpointsContent, tenant: TenantConfig, { action, name, values }: Request) {
  if (action !== 'rotate' || values['secret-file']) return {};
  const ends = findEntry(content, { tenant: tenant.name, name })!.tokens.flatMap(({ endsAt }) => endsAt ?? []);
  return { beforeEndsAt: ends.sort().at(-1) };
}

/** The flow knows endpoints by what they are: it is told of this one, and of nothing else that may stand in the files. */
async function tellLane(
  tenant: string,
  name: string,
  { config, urls }: EndpointsContext,
  timeoutMs: number,
): Promise<Outcome> {
  const wantedOf = (inForce: SettingsDocument) => {
    const merged = loadEndpoints(config).find((one) => one.name === tenant)!;
    const wanted = settingsOf(merged).endpoints.find((endpoint) => endpoint.name === name);
    const at = inForce.endpoints.findIndex((endpoint) => endpoint.name === name);
    const others = inForce.endpoints.filter((_, index) => index !== at);
    return { ...inForce, endpoints: wanted ? others.toSpliced(at < 0 ? others.length : at, 0, wanted) : others };
  };
  try {
    const installation = createInstallation(await urls());
    return await bringSettings({ tenant, wantedOf, installation, timeoutMs, again: true });
  } catch (error) {
    return { failure: (error as Error).message };
  }
}
