/** How the APIs of providers are called, and by which URL providers call us: from the environment. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError } from './mistakes.ts';

export interface ProviderApisConfig {
  /** What stands in front of /in/<token>, without a slash at its end; undefined: nobody from outside can call. */
  publicUrl: string | undefined;
  centurylink: {
    baseUrl: string;
    /** Read anew each time: only by who calls the API, and never kept. @throws ConfigError where they are not given */
    credentials(): { username: string; password: string };
  };
  citrix: {
    baseUrl: string;
    trustUrl: string;
    /** Likewise. */
    credentials(): { token: string } | { clientId: string; clientSecret: string };
  };
}

const httpsOrLoopback = z
  .string()
  .refine((text) => {
    if (!URL.canParse(text)) return false;
    const { protocol, hostname, username, password, search, hash } = new URL(text);
    const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
    return (protocol === 'https:' || (protocol === 'http:' && loopback)) && !`${username}${password}${search}${hash}`;
  }, 'must be https://… (http:// on loopback alone), without user, query and fragment')
  .transform((text) => text.replace(/\/+$/, ''));

const schema = z
  .object({
    HOOKWATCH_PUBLIC_URL: httpsOrLoopback.optional(),
    HOOKWATCH_CLC_URL: httpsOrLoopback.default('https://api.ctl.io/v2'),
    HOOKWATCH_CLC_USERNAME: z.string().optional(),
    HOOKWATCH_CLC_PASSWORD: z.string().optional(),
    HOOKWATCH_CLC_PASSWORD_FILE: z.string().optional(),
    HOOKWATCH_CITRIX_URL: httpsOrLoopback.default('https://webhooks.citrixworkspacesapi.net'),
    HOOKWATCH_CITRIX_TRUST_URL: httpsOrLoopback.default('https://trust.citrixworkspacesapi.net'),
    HOOKWATCH_CITRIX_CLIENT_ID: z.string().optional(),
    HOOKWATCH_CITRIX_CLIENT_SECRET: z.string().optional(),
    HOOKWATCH_CITRIX_CLIENT_SECRET_FILE: z.string().optional(),
    HOOKWATCH_CITRIX_TOKEN: z.string().optional(),
    HOOKWATCH_CITRIX_TOKEN_FILE: z.string().optional(),
  })
  .superRefine((given, context) => {
    for (const name of [
      'HOOKWATCH_CLC_PASSWORD',
      'HOOKWATCH_CITRIX_CLIENT_SECRET',
      'HOOKWATCH_CITRIX_TOKEN',
    ] as const) {
      if (!given[name] || !given[`${name}_FILE`]) continue;
      const message = `stands for ${name}: give one of them`;
      context.addIssue({ code: 'custom', path: [`${name}_FILE`], message });
    }
  });

export const providerSettingNames: readonly string[] = Object.keys(schema.shape);

export function parseProviderSettings(
  variables: Readonly<Record<string, string>>,
): { ok: true; providerApis: ProviderApisConfig } | { ok: false; error: z.ZodError } {
  const parsed = schema.safeParse(variables);
  if (!parsed.success) return { ok: false, error: parsed.error };
  const env = parsed.data;
  const secretOf = (name: 'HOOKWATCH_CLC_PASSWORD' | 'HOOKWATCH_CITRIX_CLIENT_SECRET' | 'HOOKWATCH_CITRIX_TOKEN') =>
    env[name] ?? readSecret(`${name}_FILE`, env[`${name}_FILE`]);
  return {
    ok: true,
    providerApis: {
      publicUrl: env.HOOKWATCH_PUBLIC_URL,
      centurylink: {
        baseUrl: env.HOOKWATCH_CLC_URL,
        credentials() {
          const username = env.HOOKWATCH_CLC_USERNAME;
          const password = secretOf('HOOKWATCH_CLC_PASSWORD');
          if (username && password) return { username, password };
          throw missing('CenturyLink Cloud', 'HOOKWATCH_CLC_USERNAME and HOOKWATCH_CLC_PASSWORD_FILE');
        },
      },
      citrix: {
        baseUrl: env.HOOKWATCH_CITRIX_URL,
        trustUrl: env.HOOKWATCH_CITRIX_TRUST_URL,
        credentials() {
          const clientId = env.HOOKWATCH_CITRIX_CLIENT_ID;
          const clientSecret = secretOf('HOOKWATCH_CITRIX_CLIENT_SECRET');
          if (clientId && clientSecret) return { clientId, clientSecret };
          const token = secretOf('HOOKWATCH_CITRIX_TOKEN');
          if (token) return { token };
          const client = 'HOOKWATCH_CITRIX_CLIENT_ID and HOOKWATCH_CITRIX_CLIENT_SECRET_FILE';
          throw missing('Citrix Cloud', `${client}, or HOOKWATCH_CITRIX_TOKEN_FILE`);
        },
      },
    },
  };
}

function readSecret(name: string, file: string | undefined): string | undefined {
  if (!file) return undefined;
  let text: string;
  try {
    text = readFileSync(resolve(file), 'utf8').trim();
  } catch (cause) {
    throw new ConfigError(`Cannot read ${file} (${name}): ${(cause as Error).message}`, { cause });
  }
  if (text === '') throw new ConfigError(`Cannot use ${file} (${name}): it is empty`);
  return text;
}

function missing(provider: string, names: string): ConfigError {
  return new ConfigError(`Cannot log in at ${provider}: give ${names}`);
}
