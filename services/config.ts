/**
 * Every setting, parsed once: the environment and `hookwatch.yaml`. All mistakes are reported together.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { centurylinkEvents } from './core/providers/centurylink/event-names.ts';
import { publishedKeyPem } from './core/providers/centurylink/published-key.ts';
import { type KafkaConfig, kafkaSettingNames, parseKafkaSettings } from './kafka-settings.ts';

/** An endpoint as configured. `token` is only known under `demo: true`; elsewhere only its hash is. */
export interface EndpointConfig {
  name: string;
  provider: string;
  /** Empty where the provider's bodies say what they are. */
  event: string;
  /** Owning account, without the provider, in upper case. */
  account: string;
  recursive: boolean;
  tokenSha256: string;
  /** Taken besides, each until it ends by the edge's clock; hashed alike. */
  otherTokens?: readonly { sha256: string; endsAtMs?: number }[];
  token?: string;
}

/** Thresholds of the rule account-created-then-servers. */
export interface RuleConfig {
  servers: number;
  within_ms: number;
}

export interface TenantConfig {
  name: string;
  /** The simulator's key is trusted, and plain tokens are allowed. */
  demo: boolean;
  /** Root accounts as provider:account. */
  roots: string[];
  endpoints: EndpointConfig[];
  rules: { 'account-created-then-servers': RuleConfig };
}

/** A public key that verifies a provider's signatures; several may be active at once. */
export interface KeyConfig {
  id: string;
  provider: string;
  pem: string;
}

export interface Config {
  dataFolder: string;
  configFile: string;
  /** What `hookwatch endpoints` writes and every edge reads. */
  endpointsFile: string;
  host: string;
  /** Port 0 lets the system choose. */
  ports: { edge: number; edgeInternal: number; console: number; clickhouse: number; worker: number; sink: number };
  /** Where workers and sinks that are processes of their own can be asked. A host name stands for all its addresses. */
  workerUrls: string[];
  sinkUrls: string[];
  /** Where each edge says which endpoints it has: on either of its ports. */
  edgeUrls: string[];
  /** An own ClickHouse server; unset: the embedded engine. */
  clickhouseUrl: string | undefined;
  clickhouseUser: string | undefined;
  clickhousePassword: string | undefined;
  analystPassword: string | undefined;
  /** Names, besides the loopback ones, under which browsers may call the live page. */
  consoleHosts: string[];
  logLevel: string;
  edgeName: string;
  /** The edge speaks TLS itself; unset: HTTP, behind a proxy that does. */
  edgeTls: { certFile: string; keyFile: string } | undefined;
  /** A segment has at most an eighth of the journal's bytes. */
  journal: { bytesMax: number; segmentBytesMax: number; retentionMs: number };
  checkpointIntervalMs: number;
  /** Unset: everything on this machine, the log in SQLite. */
  kafka: KafkaConfig | undefined;
  /** High-water mark of what ClickHouse has not taken yet: above it the lanes wait. */
  outputsBytesMax: number;
  rejectedPerMinuteMax: number;
  ttlDays: { deliveries: number; facts: number };
  keys: KeyConfig[];
  tenants: TenantConfig[];
}

/** The environment of this process: read here and nowhere else. */
export const environment: Readonly<Record<string, string | undefined>> = process.env;

/** One or several settings are wrong; `message` lists them all. A retry does not help. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID';
}

const port = z.coerce.number().int().min(0).max(65_535);
const positive = z.coerce.number().int().positive();
const commaList = z.string().transform((text) =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean),
);
const urlList = commaList.pipe(
  z.array(z.url({ protocol: /^http$/, error: 'must be http://host:port, several divided by commas' })),
);

const segmentMbByDefault = 256;
/** A segment is trimmed as a whole and the newest one never is, so each is small against the whole journal. */
const segmentsPerJournalMin = 8;

const environmentSchema = z.object({
  HOOKWATCH_DATA: z.string().min(1).default('./data'),
  HOOKWATCH_CONFIG: z.string().min(1).default('./hookwatch.yaml'),
  HOOKWATCH_ENDPOINTS_FILE: z.string().min(1).optional(),
  HOOKWATCH_HOST: z.string().min(1).default('127.0.0.1'),
  HOOKWATCH_EDGE_PORT: port.default(8080),
  HOOKWATCH_EDGE_INTERNAL_PORT: port.default(8081),
  HOOKWATCH_CONSOLE_PORT: port.default(8090),
  HOOKWATCH_CLICKHOUSE_PORT: port.default(8123),
  HOOKWATCH_WORKER_PORT: port.default(8082),
  HOOKWATCH_SINK_PORT: port.default(8083),
  HOOKWATCH_WORKERS: urlList.default([]),
  HOOKWATCH_SINKS: urlList.default([]),
  HOOKWATCH_EDGES: urlList.default([]),
  CLICKHOUSE_URL: z.url().optional(),
  CLICKHOUSE_USER: z.string().optional(),
  CLICKHOUSE_PASSWORD: z.string().optional(),
  CLICKHOUSE_PASSWORD_FILE: z.string().optional(),
  HOOKWATCH_ANALYST_PASSWORD: z.string().min(12).optional(),
  HOOKWATCH_CONSOLE_HOSTS: commaList.default([]),
  HOOKWATCH_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  HOOKWATCH_EDGE_NAME: z
    .string()
    .regex(/^[a-z0-9-]{1,63}$/)
    .default('edge-1'),
  HOOKWATCH_EDGE_TLS_CERT: z.string().optional(),
  HOOKWATCH_EDGE_TLS_KEY: z.string().optional(),
  HOOKWATCH_JOURNAL_MB: positive.min(64, 'must be at least 64: below it too little is left to trim').default(8192),
  HOOKWATCH_OUTPUTS_MB: positive.default(4096),
  HOOKWATCH_SEGMENT_MB: positive.optional(),
  HOOKWATCH_RETENTION_HOURS: positive.default(168),
  HOOKWATCH_CHECKPOINT_SECONDS: positive.optional(),
  HOOKWATCH_REJECTED_PER_MINUTE: positive.default(60),
  HOOKWATCH_DELIVERIES_TTL_DAYS: positive.max(10_000).default(90),
  HOOKWATCH_FACTS_TTL_DAYS: positive.max(10_000).default(400),
});

const settingsSchema = environmentSchema
  .refine(({ HOOKWATCH_SEGMENT_MB: segment = 0, HOOKWATCH_JOURNAL_MB: journal }) => segment <= journal, {
    path: ['HOOKWATCH_SEGMENT_MB'],
    error: ({ input }) => {
      const { HOOKWATCH_SEGMENT_MB: segment, HOOKWATCH_JOURNAL_MB: journal } = input as EnvironmentSettings;
      return `must not be above HOOKWATCH_JOURNAL_MB: it is ${segment}, and the journal may have ${journal}`;
    },
  })
  .refine(({ HOOKWATCH_EDGE_TLS_CERT: cert, HOOKWATCH_EDGE_TLS_KEY: key }) => !cert === !key, {
    path: ['HOOKWATCH_EDGE_TLS_CERT'],
    error: 'goes with HOOKWATCH_EDGE_TLS_KEY: give both, or none',
  })
  .refine(({ CLICKHOUSE_PASSWORD: text, CLICKHOUSE_PASSWORD_FILE: file }) => !text || !file, {
    path: ['CLICKHOUSE_PASSWORD_FILE'],
    error: 'stands for CLICKHOUSE_PASSWORD: give one of them',
  })
  .transform(({ CLICKHOUSE_PASSWORD_FILE: file, ...rest }, context) => {
    if (!file) return rest;
    const mistakes: string[] = [];
    const password = readOrReport(resolve(file), mistakes).trim();
    if (mistakes.length === 0 && password === '') mistakes.push(`${file} is empty`);
    for (const message of mistakes) context.addIssue({ code: 'custom', path: ['CLICKHOUSE_PASSWORD_FILE'], message });
    return { ...rest, CLICKHOUSE_PASSWORD: password };
  });

type EnvironmentSettings = z.infer<typeof environmentSchema>;

/** Every variable of the environment that is read; whoever sets another one has mistyped it. */
export const settingNames: readonly string[] = [...Object.keys(environmentSchema.shape), ...kafkaSettingNames];

const duration = z
  .string()
  .regex(/^\d+(s|m|h)$/, 'must be a number and s, m or h, for example 1h')
  .transform(
    (text) => Number(text.slice(0, -1)) * { s: 1_000, m: 60_000, h: 3_600_000 }[text.at(-1) as 's' | 'm' | 'h'],
  );

const endpointSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9-]{1,63}$/, 'must be 1 to 63 of a-z, 0-9 and -'),
    provider: z.literal('centurylink'),
    event: z.enum(centurylinkEvents),
    account: z.string().regex(/^[A-Za-z0-9]{1,16}$/, 'must be an account alias'),
    recursive: z.boolean().default(false),
    token: z.string().min(8).optional(),
    tokenSha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits')
      .optional(),
    tokenFile: z.string().optional(),
  })
  .refine((endpoint) => [endpoint.token, endpoint.tokenSha256, endpoint.tokenFile].filter(Boolean).length === 1, {
    error: 'needs exactly one of tokenSha256, tokenFile and (under demo: true) token',
  });

const tenantSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,63}$/, 'must be 1 to 63 of a-z, 0-9 and -'),
  demo: z.boolean().default(false),
  roots: z.array(z.string().regex(/^[a-z]+:[A-Za-z0-9]+$/, 'must be provider:account')).min(1),
  endpoints: z.array(endpointSchema).min(1),
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
      z.strictObject({
        id: z.string().regex(/^[a-z0-9-]{1,63}$/),
        provider: z.literal('centurylink'),
        file: z.string(),
      }),
    )
    .optional(),
  tenants: z.array(tenantSchema).min(1),
});

/**
 * Reads all settings. `portOffset` is added to every port but 0.
 * @throws ConfigError with every mistake, each with the place where it stands.
 */
export function loadConfig(variables: Readonly<Record<string, string | undefined>>, portOffset = 0): Config {
  const given = withoutEmpty(variables);
  const settings = settingsSchema.safeParse(given);
  const kafkaSettings = parseKafkaSettings(given);
  if (!settings.success || !kafkaSettings.ok) {
    const errors = [settings.error, kafkaSettings.ok ? undefined : kafkaSettings.error];
    const issues = errors.map((error) => (error ? listIssues('environment', error) : ''));
    throw new ConfigError(`Cannot start: ${issues.join('')}`);
  }
  const { kafka } = kafkaSettings;
  const env = settings.data;
  const configFile = resolve(env.HOOKWATCH_CONFIG);
  const file = readConfigFile(configFile);
  const shift = (base: number) => (base === 0 ? 0 : base + portOffset);
  return {
    dataFolder: resolve(env.HOOKWATCH_DATA),
    configFile,
    endpointsFile: resolve(env.HOOKWATCH_ENDPOINTS_FILE ?? join(env.HOOKWATCH_DATA, 'endpoints.json')),
    host: env.HOOKWATCH_HOST,
    ports: {
      edge: shift(env.HOOKWATCH_EDGE_PORT),
      edgeInternal: shift(env.HOOKWATCH_EDGE_INTERNAL_PORT),
      console: shift(env.HOOKWATCH_CONSOLE_PORT),
      clickhouse: shift(env.HOOKWATCH_CLICKHOUSE_PORT),
      worker: shift(env.HOOKWATCH_WORKER_PORT),
      sink: shift(env.HOOKWATCH_SINK_PORT),
    },
    workerUrls: orHere(env.HOOKWATCH_WORKERS, env.HOOKWATCH_HOST, shift(env.HOOKWATCH_WORKER_PORT)),
    sinkUrls: orHere(env.HOOKWATCH_SINKS, env.HOOKWATCH_HOST, shift(env.HOOKWATCH_SINK_PORT)),
    edgeUrls: orHere(env.HOOKWATCH_EDGES, '127.0.0.1', shift(env.HOOKWATCH_EDGE_INTERNAL_PORT)),
    clickhouseUrl: env.CLICKHOUSE_URL,
    clickhouseUser: env.CLICKHOUSE_USER,
    clickhousePassword: env.CLICKHOUSE_PASSWORD,
    analystPassword: env.HOOKWATCH_ANALYST_PASSWORD,
    consoleHosts: env.HOOKWATCH_CONSOLE_HOSTS,
    logLevel: env.HOOKWATCH_LOG_LEVEL,
    edgeName: env.HOOKWATCH_EDGE_NAME,
    edgeTls: tlsFiles(env),
    journal: {
      bytesMax: env.HOOKWATCH_JOURNAL_MB * 1024 * 1024,
      segmentBytesMax:
        Math.min(env.HOOKWATCH_SEGMENT_MB ?? segmentMbByDefault, env.HOOKWATCH_JOURNAL_MB / segmentsPerJournalMin) *
        1024 *
        1024,
      retentionMs: env.HOOKWATCH_RETENTION_HOURS * 3_600_000,
    },
    checkpointIntervalMs: (env.HOOKWATCH_CHECKPOINT_SECONDS ?? (kafka ? 30 : 5)) * 1_000,
    kafka,
    outputsBytesMax: env.HOOKWATCH_OUTPUTS_MB * 1024 * 1024,
    rejectedPerMinuteMax: env.HOOKWATCH_REJECTED_PER_MINUTE,
    ttlDays: { deliveries: env.HOOKWATCH_DELIVERIES_TTL_DAYS, facts: env.HOOKWATCH_FACTS_TTL_DAYS },
    ...file,
  };
}

function tlsFiles({
  HOOKWATCH_EDGE_TLS_CERT: cert,
  HOOKWATCH_EDGE_TLS_KEY: key,
}: Pick<EnvironmentSettings, 'HOOKWATCH_EDGE_TLS_CERT' | 'HOOKWATCH_EDGE_TLS_KEY'>) {
  return cert && key ? { certFile: resolve(cert), keyFile: resolve(key) } : undefined;
}

function orHere(urls: string[], host: string, portHere: number): string[] {
  return urls.length > 0 ? urls : [`http://${host}:${portHere}`];
}

/** The value of `--port-offset`. Throws ConfigError. */
export function parsePortOffset(text = '0'): number {
  const offset = Number(text);
  if (Number.isInteger(offset) && offset >= 0 && offset <= 50_000) return offset;
  throw new ConfigError(`Cannot use --port-offset ${text}: it must be a whole number from 0 to 50000`);
}

function withoutEmpty(environment: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => Boolean(entry[1])),
  );
}

function listIssues(place: string, error: z.ZodError): string {
  return error.issues.map((issue) => `\n  ${place}: ${issue.path.join('.')}: ${issue.message}`).join('');
}

function readConfigFile(path: string): Pick<Config, 'keys' | 'tenants'> {
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
  reportDuplicates(
    'tenant',
    tenants.map((tenant) => tenant.name),
    mistakes,
  );
  reportDuplicates(
    'token of endpoint',
    tenants.flatMap((tenant) => tenant.endpoints.map((endpoint) => endpoint.tokenSha256)),
    mistakes,
  );
  const keys = parsed.data.keys?.map(({ id, provider, file }) => ({ id, provider, pem: read(file) })) ?? [
    { id: 'centurylink-published', provider: 'centurylink' as const, pem: publishedKeyPem },
  ];
  reportDuplicates(
    'key',
    keys.map((key) => key.id),
    mistakes,
  );
  if (mistakes.length > 0)
    throw new ConfigError(`Cannot start:${mistakes.map((mistake) => `\n  ${path}: ${mistake}`).join('')}`);
  return { keys, tenants };
}

function completeTenant(
  tenant: z.infer<typeof tenantSchema>,
  read: (file: string) => string,
  mistakes: string[],
): TenantConfig {
  reportDuplicates(
    `endpoint of ${tenant.name}`,
    tenant.endpoints.map((endpoint) => endpoint.name),
    mistakes,
  );
  const endpoints = tenant.endpoints.map(({ token, tokenSha256, tokenFile, ...rest }): EndpointConfig => {
    if (token && !tenant.demo) {
      mistakes.push(
        `${tenant.name}.${rest.name}: a plain token is allowed only under demo: true; give its tokenSha256 or a tokenFile`,
      );
    }
    const plain = token ?? (tokenFile ? read(tokenFile).trim() : undefined);
    return {
      ...rest,
      account: rest.account.toUpperCase(),
      tokenSha256: tokenSha256 ?? hashToken(plain ?? ''),
      ...(token && { token }),
    };
  });
  const rule = tenant.rules['account-created-then-servers'];
  return {
    name: tenant.name,
    demo: tenant.demo,
    roots: tenant.roots,
    endpoints,
    rules: { 'account-created-then-servers': { servers: rule.servers, within_ms: rule.within } },
  };
}

/** How tokens are kept: SHA-256 in lower-case hex. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function readOrReport(path: string, mistakes: string[]): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    mistakes.push(`cannot read ${path}: ${(error as Error).message}`);
    return '';
  }
}

function reportDuplicates(what: string, names: string[], mistakes: string[]): void {
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) < index) mistakes.push(`${what} ${name} is given twice`);
  }
}
