/**
 * Every setting, parsed once: the environment and `hookwatch.yaml`. All mistakes are reported together.
 */
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { type FileConfig, readConfigFile } from './hookwatch-yaml.ts';
import { type KafkaConfig, kafkaSettingNames, parseKafkaSettings } from './kafka-settings.ts';
import { ConfigError, listIssues, readOrReport } from './mistakes.ts';
import { type ProviderApisConfig, parseProviderSettings, providerSettingNames } from './provider-settings.ts';

export type { EndpointConfig, SecretConfig } from './endpoint-definition.ts';
export { hashToken, type KeyConfig, type RuleConfig, readConfigFile, type TenantConfig } from './hookwatch-yaml.ts';
export { ConfigError } from './mistakes.ts';

export interface Config extends FileConfig {
  dataFolder: string;
  configFile: string;
  /** What `hookwatch endpoints` writes and every edge reads. */
  endpointsFile: string;
  host: string;
  /** Port 0 lets the system choose. */
  ports: {
    edge: number;
    edgeInternal: number;
    console: number;
    clickhouse: number;
    worker: number;
    sink: number;
    reconcile: number;
  };
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
  ttlDays: { deliveries: number; persons: number; facts: number };
  providerApis: ProviderApisConfig;
}

/** The environment of this process: read here and nowhere else. */
export const environment: Readonly<Record<string, string | undefined>> = process.env;

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
  HOOKWATCH_RECONCILE_PORT: port.default(8084),
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
  HOOKWATCH_PERSONS_TTL_DAYS: positive.max(10_000).optional(),
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
export const settingNames: readonly string[] = [
  ...Object.keys(environmentSchema.shape),
  ...kafkaSettingNames,
  ...providerSettingNames,
];

/**
 * Reads all settings. `portOffset` is added to every port but 0.
 * @throws ConfigError with every mistake, each with the place where it stands.
 */
export function loadConfig(variables: Readonly<Record<string, string | undefined>>, portOffset = 0): Config {
  const given = withoutEmpty(variables);
  const settings = settingsSchema.safeParse(given);
  const kafkaSettings = parseKafkaSettings(given);
  const providerSettings = parseProviderSettings(given);
  if (!settings.success || !kafkaSettings.ok || !providerSettings.ok) {
    const errors = [
      settings.error,
      ...[kafkaSettings, providerSettings].map((one) => (one.ok ? undefined : one.error)),
    ];
    const issues = errors.map((error) => (error ? listIssues('environment', error) : ''));
    throw new ConfigError(`Cannot start: ${issues.join('')}`);
  }
  const { kafka } = kafkaSettings;
  const { providerApis } = providerSettings;
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
      reconcile: shift(env.HOOKWATCH_RECONCILE_PORT),
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
    ttlDays: {
      deliveries: env.HOOKWATCH_DELIVERIES_TTL_DAYS,
      persons: env.HOOKWATCH_PERSONS_TTL_DAYS ?? env.HOOKWATCH_FACTS_TTL_DAYS,
      facts: env.HOOKWATCH_FACTS_TTL_DAYS,
    },
    providerApis,
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
