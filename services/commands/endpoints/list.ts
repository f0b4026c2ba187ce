/** `hookwatch endpoints list`. */
import type { TenantConfig } from '../../config.ts';
import { type EndpointEntry, hashEndpoints, mergeEndpoints, readEndpointsFile } from '../../endpoints-file.ts';
import { createInstallation } from '../../installation.ts';
import { findEntry } from './changes.ts';
import type { EndpointsContext } from './command.ts';
import { askEdges, type EdgeReport } from './edges.ts';
import { describeEdge } from './report.ts';

interface ListedToken {
  /** The first digits of its SHA-256: which one it is, for people. */
  sha256: string;
  endsAt: string | null;
}

interface Listed {
  tenant: string;
  name: string;
  provider: string;
  event: string;
  account: string;
  recursive: boolean;
  /** `waiting`: an edge does not listen to it as it is now. */
  state: 'ready' | 'waiting' | 'disabled';
  definedIn: 'hookwatch.yaml' | 'endpoints.json';
  tokens: ListedToken[];
  secrets: string[];
  /** The lane knows of it as it is; null where nobody says. */
  lane: boolean | null;
}

const digitsShown = 8;

/** Resolves to the exit code: 0 where every edge is ready. */
export async function listEndpoints(
  context: EndpointsContext,
  { tenant: only, json = false }: { tenant?: string | undefined; json?: boolean | undefined },
  out: { write(text: string): void },
): Promise<number> {
  const { config, nowMs = Date.now } = context;
  const read = readEndpointsFile(config.endpointsFile);
  const { tenants, remarks } = mergeEndpoints(config.tenants, read);
  const hash = hashEndpoints(tenants);
  const [edges, known] = await Promise.all([askEdges(config.edgeUrls, hash), askLanes(context)]);
  const ready = edges.every((edge) => edge.ready);
  const shown = config.tenants.filter(({ name }) => only === undefined || name === only);
  const endpoints = shown.flatMap((configured) => {
    const merged = tenants.find(({ name }) => name === configured.name)!;
    const entries = read.content.endpoints.filter(({ tenant }) => tenant === configured.name);
    return listTenant({ configured, merged, entries, ready, inLane: known[configured.name], nowMs: nowMs() });
  });
  const { revision } = read.content;
  if (json) out.write(`${JSON.stringify({ file: config.endpointsFile, revision, hash, edges, remarks, endpoints })}\n`);
  else out.write(describe(config.endpointsFile, revision, edges, remarks, endpoints));
  return ready ? 0 : 1;
}

interface TenantView {
  configured: TenantConfig;
  merged: TenantConfig;
  entries: readonly EndpointEntry[];
  ready: boolean;
  /** Endpoints that its lane knows, as text; undefined where nobody says. */
  inLane: ReadonlySet<string> | undefined;
  nowMs: number;
}

function listTenant({ configured, merged, entries, ready, inLane, nowMs }: TenantView): Listed[] {
  const content = { format: 1 as const, revision: 0, endpoints: [...entries] };
  const listened = merged.endpoints.map((endpoint): Listed => {
    const { name, provider, event, account, recursive, tokenSha256, otherTokens = [], secrets = [] } = endpoint;
    const others = otherTokens.filter(({ endsAtMs = Number.POSITIVE_INFINITY }) => endsAtMs > nowMs);
    return {
      ...{ tenant: merged.name, name, provider, event, account, recursive, state: ready ? 'ready' : 'waiting' },
      definedIn: configured.endpoints.some((one) => one.name === name) ? 'hookwatch.yaml' : 'endpoints.json',
      tokens: [
        ...(tokenSha256 === '' ? [] : [{ sha256: tokenSha256.slice(0, digitsShown), endsAt: null }]),
        ...others.map(({ sha256, endsAtMs }) => ({
          sha256: sha256.slice(0, digitsShown),
          endsAt: endsAtMs === undefined ? null : new Date(endsAtMs).toISOString(),
        })),
      ],
      secrets: secrets.map(({ id }) => id),
      lane: inLane ? inLane.has(textOf({ name, provider, event, account, recursive })) : null,
    };
  });
  const disabled = [
    ...configured.endpoints.filter(({ name }) => findEntry(content, { tenant: merged.name, name })?.disabledAt),
    ...entries.flatMap(({ name, definition, disabledAt }) =>
      disabledAt && definition && !configured.endpoints.some((one) => one.name === name)
        ? [{ name, ...definition }]
        : [],
    ),
  ].map(({ name, provider, event, account, recursive }): Listed => {
    const inYaml = configured.endpoints.some((one) => one.name === name);
    return {
      ...{ tenant: merged.name, name, provider, event, account, recursive, state: 'disabled', tokens: [], secrets: [] },
      definedIn: inYaml ? 'hookwatch.yaml' : 'endpoints.json',
      lane: inLane ? !inLane.has(textOf({ name, provider, event, account, recursive })) : null,
    };
  });
  return [...listened, ...disabled];
}

type Told = Pick<Listed, 'name' | 'provider' | 'event' | 'account' | 'recursive'>;

function textOf({ name, provider, event, account, recursive }: Told): string {
  return JSON.stringify([name, provider, event, account, recursive]);
}

/** Endpoints of each lane that is worked on; of none where nobody says. */
async function askLanes({ urls }: EndpointsContext): Promise<Record<string, ReadonlySet<string>>> {
  try {
    const lanes = await createInstallation(await urls()).lanes();
    const known = Object.entries(lanes).flatMap(([tenant, { settings }]) =>
      settings ? [[tenant, new Set(settings.endpoints.map(textOf))] as const] : [],
    );
    return Object.fromEntries(known);
  } catch {
    return {};
  }
}

function describe(
  file: string,
  revision: number,
  edges: readonly EdgeReport[],
  remarks: readonly string[],
  endpoints: readonly Listed[],
): string {
  const header = ['ENDPOINT', 'PROVIDER', 'EVENT', 'ACCOUNT', 'RECURSIVE', 'STATE', 'TOKENS'];
  const rows = endpoints.map((one) => [
    `${one.tenant}/${one.name}`,
    one.provider,
    one.event || '-',
    one.account,
    one.recursive ? 'yes' : 'no',
    one.state,
    one.tokens.map(({ sha256, endsAt }) => (endsAt ? `${sha256} until ${endsAt}` : sha256)).join(', ') || '-',
  ]);
  const untold = [...new Set(endpoints.filter(({ lane }) => lane === false).map(({ tenant }) => tenant))];
  return [
    `${file}: revision ${revision}`,
    ...edges.map(describeEdge),
    ...remarks,
    ...untold.map((tenant) => `lane ${tenant}: has others: \`hookwatch apply --tenant ${tenant}\` tells it`),
    '',
    ...table([header, ...rows]),
    '',
  ].join('\n');
}

function table(rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}
