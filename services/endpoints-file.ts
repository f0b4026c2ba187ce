/**
 * endpoints.json: what `hookwatch endpoints` has made of the endpoints of hookwatch.yaml. Edges read it while they run.
 *
 *     {"format":1,"revision":3,"endpoints":[{"tenant":…,"name":…,"definition":{…},"tokens":[{"sha256":…,"madeAt":…}]}],"digest":…}
 *
 * An entry without a definition is about an endpoint of hookwatch.yaml. Where that file has an endpoint of an entry's name,
 * its own definition holds, so that an endpoint can be moved there; tokens of both are taken, each until it ends.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { type Config, ConfigError, type EndpointConfig, type TenantConfig } from './config.ts';
import { providers } from './core/providers/providers.ts';
import { checkDefinition, definitionFields, nameSchema, type SecretConfig } from './endpoint-definition.ts';
import { canonicalJson } from './settings.ts';

const instant = z.iso.datetime();

const tokenSchema = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Absent where hookwatch.yaml gave it. */
  madeAt: instant.optional(),
  /** From then on it is refused. Kept where hookwatch.yaml gives the token, which would be taken again otherwise. */
  endsAt: instant.optional(),
});

const { name: _, path: __, open: ___, ...listened } = definitionFields;
const definitionSchema = z.strictObject(listened);
/** The file lies beside endpoints.json, or below it. The newest last. */
const secretSchema = z.strictObject({
  id: nameSchema,
  file: z.string().regex(/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/),
  madeAt: instant,
});

const entrySchema = z
  .strictObject({
    tenant: nameSchema,
    name: nameSchema,
    definition: definitionSchema.optional(),
    /** The newest last. Empty where only what hookwatch.yaml gives is taken. */
    tokens: z.array(tokenSchema).max(100),
    /** In place of those of hookwatch.yaml, where there are any. */
    secrets: z.array(secretSchema).max(2).optional(),
    disabledAt: instant.optional(),
  })
  .refine(({ definition, tokens }) => (tokens.length === 0 ? !definition : tokens.some(({ endsAt }) => !endsAt)), {
    error: 'needs a token that has no end',
  })
  .superRefine(({ name, definition }, context) => {
    if (definition) checkDefinition({ ...definition, name, open: false }, context);
  });

const contentSchema = z.strictObject({
  format: z.literal(1),
  /** Rises with every change. */
  revision: z.number().int().nonnegative(),
  endpoints: z.array(entrySchema),
});

export type EndpointDefinition = z.infer<typeof definitionSchema>;
export type TokenEntry = z.infer<typeof tokenSchema>;
export type EndpointEntry = z.infer<typeof entrySchema>;
export type EndpointsContent = z.infer<typeof contentSchema>;

/** What the file says, with the secrets in the files that it names. */
export interface ReadEndpoints {
  content: EndpointsContent;
  secretTexts: ReadonlyMap<string, string>;
}

/** Where there is no file. */
export const noEndpoints: ReadEndpoints = {
  content: { format: 1, revision: 0, endpoints: [] },
  secretTexts: new Map(),
};

/** Tenants with the endpoints that are listened to now, and what people should know. */
export interface MergedEndpoints {
  tenants: TenantConfig[];
  remarks: string[];
}

export function renderEndpoints(content: EndpointsContent): string {
  return `${JSON.stringify({ ...content, digest: digestOf(content) }, null, 2)}\n`;
}

/** @throws ConfigError where the text is not what was written: a bit that has turned would refuse a right token. */
export function parseEndpoints(text: string, place: string): EndpointsContent {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw damaged(place, 'it is no JSON', cause);
  }
  const { digest, ...rest } = Object(document) as Record<string, unknown>;
  const parsed = contentSchema.safeParse(rest);
  if (!parsed.success) throw damaged(place, z.prettifyError(parsed.error).replaceAll('\n', ' '), parsed.error);
  if (digest !== digestOf(parsed.data)) throw damaged(place, 'its digest is not that of its content');
  return parsed.data;
}

function damaged(place: string, how: string, cause?: unknown): ConfigError {
  return new ConfigError(`Cannot use ${place}: ${how}. Only \`hookwatch endpoints\` writes it.`, { cause });
}

function digestOf(content: EndpointsContent): string {
  return sha256(canonicalJson(content));
}

/**
 * What the file says; `noEndpoints` where there is none. Secrets lie beside it, or beside the file that it is a copy of.
 * @throws ConfigError where it cannot be read or is damaged
 */
export function readEndpointsFile(file: string, original = file): ReadEndpoints {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return noEndpoints;
    throw new ConfigError(`Cannot read ${file} (HOOKWATCH_ENDPOINTS_FILE): ${(cause as Error).message}`, { cause });
  }
  const content = parseEndpoints(text, file);
  const secretTexts = secretFilesOf(content).map((secret) => [secret, readSecret(original, secret)] as const);
  return { content, secretTexts: new Map(secretTexts) };
}

/** The tenants as hookwatch.yaml and endpoints.json have them now. @throws ConfigError */
export function loadEndpoints({ tenants, endpointsFile }: Pick<Config, 'tenants' | 'endpointsFile'>): TenantConfig[] {
  return mergeEndpoints(tenants, readEndpointsFile(endpointsFile)).tenants;
}

/** Every file with a secret that is in use, as endpoints.json names it. */
export function secretFilesOf({ endpoints }: EndpointsContent): string[] {
  return endpoints.flatMap(({ secrets = [], disabledAt }) => (disabledAt ? [] : secrets.map(({ file }) => file)));
}

export function secretPath(endpointsFile: string, file: string): string {
  return resolve(dirname(endpointsFile), file);
}

function readSecret(endpointsFile: string, file: string): string {
  const path = secretPath(endpointsFile, file);
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new ConfigError(`Cannot read ${path}, a secret of ${endpointsFile}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Pure. Endpoints that are disabled are left out.
 * @throws ConfigError where two endpoints have the same token, or a secret is none of its provider.
 */
export function mergeEndpoints(tenants: readonly TenantConfig[], read: ReadEndpoints): MergedEndpoints {
  const { secretTexts } = read;
  const { endpoints } = read.content;
  const remarks = endpoints
    .filter((entry) => !tenants.some(({ name }) => name === entry.tenant))
    .map(({ tenant, name }) => `endpoint ${name} is of tenant ${tenant}, which hookwatch.yaml does not know`);
  const merged = tenants.map((tenant): TenantConfig => {
    const entries = new Map(endpoints.filter((entry) => entry.tenant === tenant.name).map((one) => [one.name, one]));
    const amended = tenant.endpoints.flatMap((endpoint) => {
      const entry = entries.get(endpoint.name);
      entries.delete(endpoint.name);
      return entry ? amend(endpoint, entry, secretTexts) : [endpoint];
    });
    return { ...tenant, endpoints: [...amended, ...[...entries.values()].flatMap((one) => added(one, secretTexts))] };
  });
  refuseSharedTokens(merged);
  return { tenants: merged, remarks };
}

function amend(
  { token, ...endpoint }: EndpointConfig,
  entry: EndpointEntry,
  secretTexts: ReadonlyMap<string, string>,
): EndpointConfig[] {
  const { tokens, disabledAt } = entry;
  if (disabledAt !== undefined) return [];
  const { tokenSha256 } = endpoint;
  // A token that hookwatch.yaml was given since is as good as any; an open endpoint has none.
  const known = tokenSha256 === '' || tokens.some(({ sha256 }) => sha256 === tokenSha256);
  const held = holdTokens(known ? tokens : [{ sha256: tokenSha256 }, ...tokens]);
  // Known in a demo only: what it is good for is to be sent.
  const plain = token && held.tokenSha256 === tokenSha256 && { token };
  return [{ ...endpoint, ...held, ...secretsOf(entry, endpoint.provider, secretTexts), ...plain }];
}

function added(entry: EndpointEntry, secretTexts: ReadonlyMap<string, string>): EndpointConfig[] {
  const { name, definition, tokens, disabledAt } = entry;
  if (disabledAt !== undefined || definition === undefined) return [];
  return [{ name, ...definition, ...holdTokens(tokens), ...secretsOf(entry, definition.provider, secretTexts) }];
}

function secretsOf(
  { tenant, name, secrets = [] }: EndpointEntry,
  provider: string,
  secretTexts: ReadonlyMap<string, string>,
): { secrets?: SecretConfig[] } {
  if (secrets.length === 0) return {};
  return {
    secrets: secrets.map(({ id, file }) => {
      const text = secretTexts.get(file) ?? '';
      try {
        providers.get(provider)!.parseKey(id, text);
      } catch (cause) {
        throw new ConfigError(`Cannot use secret ${id} of ${tenant}/${name}: ${(cause as Error).message}`, { cause });
      }
      return { id, reveal: () => text };
    }),
  };
}

/** The newest without an end is the endpoint's own; all others are taken besides. */
function holdTokens(tokens: readonly TokenEntry[]): Pick<EndpointConfig, 'tokenSha256' | 'otherTokens'> {
  const own = tokens.findLast(({ endsAt }) => endsAt === undefined);
  const others = tokens
    .filter((token) => token !== own)
    .map(({ sha256, endsAt }) => ({ sha256, ...(endsAt !== undefined && { endsAtMs: Date.parse(endsAt) }) }));
  return { tokenSha256: own?.sha256 ?? '', ...(others.length > 0 && { otherTokens: others }) };
}

function refuseSharedTokens(tenants: readonly TenantConfig[]): void {
  const owners = new Map<string, string>();
  for (const { name: tenant, endpoints } of tenants) {
    for (const { name, tokenSha256, otherTokens = [] } of endpoints) {
      for (const sha256 of [tokenSha256, ...otherTokens.map((token) => token.sha256)].filter(Boolean)) {
        const owner = owners.get(sha256);
        if (owner) throw new ConfigError(`Cannot tell ${owner} and ${tenant}/${name} apart: they have the same token`);
        owners.set(sha256, `${tenant}/${name}`);
      }
    }
  }
}

/** Names a set of endpoints with all that makes them up: 16 hex digits. Two edges that say the same listen to the same. */
export function hashEndpoints(tenants: readonly TenantConfig[]): string {
  const listened = tenants.map(({ name, endpoints }) => ({ name, endpoints: endpoints.map(identityOf) }));
  return sha256(canonicalJson(listened)).slice(0, 16);
}

function identityOf({ token: _, secrets = [], ...endpoint }: EndpointConfig) {
  return { ...endpoint, secrets: secrets.map(({ id, reveal }) => ({ id, sha256: sha256(reveal()) })) };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
