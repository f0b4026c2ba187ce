/** The settings of an installation over Kafka: from the environment, beside those of config.ts. */
import { z } from 'zod';

export interface KafkaConfig {
  /** host:port, at least one. */
  brokers: readonly string[];
  /** All topics are named <prefix>.<what>. */
  prefix: string;
  /** Of every topic, fixed for ever: a lane's partition follows from it. */
  partitions: number;
  replication: number;
  minInSyncReplicas: number;
  recordsRetentionMs: number;
  outputsRetentionMs: number;
  tls: boolean;
  sasl: KafkaLogin | undefined;
  /** A worker or sink that was not heard of for so long loses its partitions to the others. */
  sessionTimeoutMs: number;
}

export interface KafkaLogin {
  mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  username: string;
  password: string;
}

const hourMs = 3_600_000;
const positive = z.coerce.number().int().positive();

const schema = z
  .object({
    HOOKWATCH_KAFKA_BROKERS: z
      .string()
      .regex(/^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$/, 'must be host:port, several divided by commas'),
    HOOKWATCH_KAFKA_PREFIX: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{0,62}$/, 'must be 1 to 63 of a-z, 0-9, . and -')
      .default('hookwatch'),
    HOOKWATCH_KAFKA_PARTITIONS: positive.max(1_000).default(12),
    HOOKWATCH_KAFKA_REPLICATION: positive.max(15).default(3),
    HOOKWATCH_KAFKA_MIN_ISR: positive.max(15).default(2),
    HOOKWATCH_KAFKA_RECORDS_HOURS: positive.default(168),
    HOOKWATCH_KAFKA_OUTPUTS_HOURS: positive.default(72),
    HOOKWATCH_KAFKA_SESSION_SECONDS: positive.max(1_800).default(30),
    HOOKWATCH_KAFKA_TLS: z.enum(['true', 'false']).default('false'),
    HOOKWATCH_KAFKA_SASL_MECHANISM: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).optional(),
    HOOKWATCH_KAFKA_USERNAME: z.string().optional(),
    HOOKWATCH_KAFKA_PASSWORD: z.string().optional(),
  })
  .refine((env) => env.HOOKWATCH_KAFKA_MIN_ISR <= env.HOOKWATCH_KAFKA_REPLICATION, {
    path: ['HOOKWATCH_KAFKA_MIN_ISR'],
    error: 'must not be above HOOKWATCH_KAFKA_REPLICATION; on a single broker both are 1',
  })
  .refine(
    (env) => !env.HOOKWATCH_KAFKA_SASL_MECHANISM || (env.HOOKWATCH_KAFKA_USERNAME && env.HOOKWATCH_KAFKA_PASSWORD),
    {
      path: ['HOOKWATCH_KAFKA_SASL_MECHANISM'],
      error: 'needs HOOKWATCH_KAFKA_USERNAME and HOOKWATCH_KAFKA_PASSWORD',
    },
  );

export const kafkaSettingNames: readonly string[] = Object.keys(schema.shape);

/** Undefined where no brokers are named: the installation then is an embedded one. */
export function parseKafkaSettings(
  variables: Readonly<Record<string, string>>,
): { ok: true; kafka: KafkaConfig | undefined } | { ok: false; error: z.ZodError } {
  if (variables.HOOKWATCH_KAFKA_BROKERS === undefined) return { ok: true, kafka: undefined };
  const parsed = schema.safeParse(variables);
  if (!parsed.success) return { ok: false, error: parsed.error };
  const env = parsed.data;
  const mechanism = env.HOOKWATCH_KAFKA_SASL_MECHANISM;
  return {
    ok: true,
    kafka: {
      brokers: env.HOOKWATCH_KAFKA_BROKERS.split(','),
      prefix: env.HOOKWATCH_KAFKA_PREFIX,
      partitions: env.HOOKWATCH_KAFKA_PARTITIONS,
      replication: env.HOOKWATCH_KAFKA_REPLICATION,
      minInSyncReplicas: env.HOOKWATCH_KAFKA_MIN_ISR,
      recordsRetentionMs: env.HOOKWATCH_KAFKA_RECORDS_HOURS * hourMs,
      outputsRetentionMs: env.HOOKWATCH_KAFKA_OUTPUTS_HOURS * hourMs,
      sessionTimeoutMs: env.HOOKWATCH_KAFKA_SESSION_SECONDS * 1_000,
      tls: env.HOOKWATCH_KAFKA_TLS === 'true',
      sasl: mechanism && {
        mechanism,
        username: env.HOOKWATCH_KAFKA_USERNAME ?? '',
        password: env.HOOKWATCH_KAFKA_PASSWORD ?? '',
      },
    },
  };
}
