/** `hookwatch.yaml`: tenants, their endpoints and rules, and the keys that verify signatures. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { providers } from './core/providers/providers.ts';
import {
  checkDefinition,
  definitionFields,
  type EndpointConfig,
  nameSchema,
  problemOfAccount,
  providerNameSchema,
  type SecretConfig,
} from './endpoint-definition.ts';
import { ConfigError, listIssues, readOrReport, reportDuplicates } from './mistakes.ts';

/** Thresholds of the rule account-created-then-servers. */
export interface RuleConfig {
  servers: number;
  within_ms: number;
}

export interface TenantConfig {
  name: string;
  /** The simulator's key is trusted, and plain tokens and secrets are allowed. */
  demo: boolean;
  /** Root accounts as provider:account. */
  roots: string[];
  /** Accounts that belong to the tenant besides those below its roots, likewise. */
  accounts?: string[];
  endpoints: EndpointConfig[];
  rules: { 'account-created-then-servers': RuleConfig };
}

/** A public key that verifies a provider's signatures; several may be active at once. */
export interface KeyConfig {
  id: string;
  provider: string;
  pem: string;
}

/** What the file says. */
export interface FileConfig {
  keys: KeyConfig[];
  tenants: TenantConfig[];
}

const duration = z
  .string()
  .regex(/^\d+(s|m|h)$/, 'must be a number and s, m or h, for example 1h')
  .transform(
    (text) => Number(text.slice(0, -1)) * { s: 1_000, m: 60_000, h: 3_600_000 }[text.at(-1) as 's' | 'm' | 'h'],
  );

const secretSchema = z
  .strictObject({ id: nameSchema, file: z.string().min(1).optional(), text: z.string().min(1).optional() })
  .refine(({ file, text }) => !file !== !text, { error: 'needs a file or (under demo: true) a text' });

const endpointSchema = z
  .strictObject({
    ...definitionFields,
    token: z.string().min(8).optional(),
    tokenSha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits')
      .optional(),
    tokenFile: z.string().optional(),
    secrets: z.array(secretSchema).max(2, 'may have two at most: the one in use, and the one that follows').default([]),
  })
  .superRefine(checkDefinition)
  .superRefine(({ provider: name, secrets }, context) => {
    if (secrets.length === 0 || providers.get(name)!.trust === 'secret') return;
    context.addIssue({ code: 'custom', path: ['secrets'], message: `${name} has no secrets` });
  })
  .refine(({ token, tokenSha256, tokenFile, open }) => {
    const given = [token, tokenSha256, tokenFile].filter(Boolean).length;
    return given === 1 || (open && given === 0);
  }, 'needs exactly one of tokenSha256, tokenFile and (under demo: true) token');

const accountSchema = z.string().transform((text, context) => {
  const colon = text.indexOf(':');
  const provider = providers.get(text.slice(0, colon));
  const account = text.slice(colon + 1);
  const problem =
    colon < 0 || !provider
      ? `must be provider:account, with a provider of ${[...providers.keys()].join(', ')}`
      : problemOfAccount(provider, account);
  if (problem === undefined) return `${provider!.name}:${provider!.canonicalAccount(account)}`;
  context.addIssue({ code: 'custom', message: problem });
  return z.NEVER;
});

const tenantSchema = z.strictObject({
  name: nameSchema,
  demo: z.boolean().default(false),
  roots: z.array(accountSchema).min(1),
  accounts: z.array(accountSchema).default([]),
  endpoints: z.array(endpointSchema).default([]),
  rules: z
    .strictObject({
      'account-created-then-servers': z.strictObject({
        servers: z.number().int().min(2).max(1000).default(5),
        within: duration.default(3_600_000),
      }),
    })
    .default({ 'account-created-then-servers': { servers: 5, within: 3_600_000 } }),
});

const fileSchema = z.strictObject({
  keys: z
    .array(
      z.strictObject({ id: nameSchema, provider: providerNameSchema, file: z.string() }).superRefine((key, context) => {
        if (providers.get(key.provider)!.trust === 'public-key') return;
        context.addIssue({ code: 'custom', path: ['provider'], message: `${key.provider} has no public keys` });
      }),
    )
    .default([]),
  tenants: z.array(tenantSchema).min(1),
});

/** Reads the file, and those that it names. Throws ConfigError with every mistake, each with the place where it stands. */
export function readConfigFile(path: string): FileConfig {
  let document: unknown;
  try {
    document = parseYaml(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError(`Cannot read ${path}: ${(error as Error).message}. HOOKWATCH_CONFIG names the file.`, {
      cause: error,
    });
  }
  const parsed = fileSchema.safeParse(document);
  if (!parsed.success) throw new ConfigError(`Cannot start: ${listIssues(path, parsed.error)}`);
  const mistakes: string[] = [];
  const read = (file: string) => readOrReport(resolve(dirname(path), file), mistakes);
  const tenants = parsed.data.tenants.map((tenant) => completeTenant(tenant, read, mistakes));
  const names = tenants.map((tenant) => tenant.name);
  reportDuplicates('tenant', names, mistakes);
  const endpoints = tenants.flatMap((tenant) => tenant.endpoints);
  const tokens = endpoints.map((endpoint) => endpoint.tokenSha256).filter(Boolean);
  reportDuplicates('token of endpoint', tokens, mistakes);
  reportSamples(tenants, mistakes);
  const keys = completeKeys(parsed.data.keys, read, mistakes);
  if (mistakes.length > 0)
    throw new ConfigError(`Cannot start:${mistakes.map((mistake) => `\n  ${path}: ${mistake}`).join('')}`);
  return { keys, tenants };
}

function completeTenant(
  tenant: z.infer<typeof tenantSchema>,
  read: (file: string) => string,
  mistakes: string[],
): TenantConfig {
  const names = tenant.endpoints.map((endpoint) => endpoint.name);
  reportDuplicates(`endpoint of ${tenant.name}`, names, mistakes);
  const rule = tenant.rules['account-created-then-servers'];
  return {
    name: tenant.name,
    demo: tenant.demo,
    roots: tenant.roots,
    accounts: tenant.accounts,
    endpoints: tenant.endpoints.map((endpoint) => completeEndpoint(tenant, endpoint, read, mistakes)),
    rules: { 'account-created-then-servers': { servers: rule.servers, within_ms: rule.within } },
  };
}

function completeEndpoint(
  tenant: { name: string; demo: boolean },
  { token, tokenSha256, tokenFile, secrets, path, open, ...rest }: z.infer<typeof endpointSchema>,
  read: (file: string) => string,
  mistakes: string[],
): EndpointConfig {
  const place = `${tenant.name}.${rest.name}`;
  if (token && !tenant.demo) {
    mistakes.push(`${place}: a plain token is allowed only under demo: true; give its tokenSha256 or a tokenFile`);
  }
  const plain = token ?? (tokenFile ? read(tokenFile).trim() : undefined);
  const provider = providers.get(rest.provider)!;
  reportDuplicates(
    `secret of ${place}`,
    secrets.map(({ id }) => id),
    mistakes,
  );
  return {
    ...rest,
    account: provider.canonicalAccount(rest.account),
    tokenSha256: tokenSha256 ?? (plain === undefined ? '' : hashToken(plain)),
    ...(token && { token }),
    ...(tokenFile && { tokenFile }),
    ...(secrets.length > 0 && {
      secrets: secrets.map((secret) => completeSecret(tenant, rest, secret, read, mistakes)),
    }),
    ...(path && { sample: true }),
    ...(open && { open }),
  };
}

function completeSecret(
  tenant: { name: string; demo: boolean },
  endpoint: { name: string; provider: string },
  { id, file, text }: z.infer<typeof secretSchema>,
  read: (file: string) => string,
  mistakes: string[],
): SecretConfig {
  const place = `${tenant.name}.${endpoint.name}: secret ${id}`;
  if (text && !tenant.demo) mistakes.push(`${place}: a plain text is allowed only under demo: true; give a file`);
  const known = mistakes.length;
  const secret = text ?? read(file!).trim();
  if (mistakes.length === known) reportKey(place, endpoint.provider, id, secret, mistakes);
  return { id, reveal: () => secret };
}

/** Keys of the file; of a provider that it gives none of, those that the provider has published. */
function completeKeys(
  given: z.infer<typeof fileSchema>['keys'],
  read: (file: string) => string,
  mistakes: string[],
): KeyConfig[] {
  const keys = given.map(({ id, provider, file }): KeyConfig => {
    const known = mistakes.length;
    const pem = read(file);
    if (mistakes.length === known) reportKey(`key ${id} (${file})`, provider, id, pem, mistakes);
    return { id, provider, pem };
  });
  for (const { name: provider, publishedKeys } of providers.values()) {
    if (given.every((key) => key.provider !== provider)) {
      keys.push(...publishedKeys.map(({ id, pem }) => ({ id, provider, pem })));
    }
  }
  const ids = keys.map((key) => key.id);
  reportDuplicates('key', ids, mistakes);
  return keys;
}

function reportKey(place: string, provider: string, id: string, text: string, mistakes: string[]): void {
  try {
    providers.get(provider)!.parseKey(id, text);
  } catch (error) {
    mistakes.push(`${place}: ${(error as Error).message}`);
  }
}

/** The URLs of a sample listener say neither a tenant nor anything secret: they lead to one endpoint each. */
function reportSamples(tenants: readonly TenantConfig[], mistakes: string[]): void {
  const samples = tenants.flatMap(({ name, endpoints }) =>
    endpoints.filter(({ sample }) => sample).map(({ event }) => ({ tenant: name, event })),
  );
  reportDuplicates(
    'the sample URL of event',
    samples.map(({ event }) => event),
    mistakes,
  );
  const owners = [...new Set(samples.map(({ tenant }) => tenant))];
  if (owners.length > 1) mistakes.push(`path: sample is given by ${owners.join(' and ')}: one tenant may have it`);
}

/** How tokens are kept: SHA-256 in lower-case hex. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
