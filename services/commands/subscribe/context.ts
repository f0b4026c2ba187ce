/** What the commands about subscriptions are given. */
import { createInterface } from 'node:readline/promises';
import type { TenantConfig } from '../../config.ts';
import { ConfigError } from '../../config.ts';
import type { ApiLimits } from '../../ports/provider-api/provider-api.ts';
import { clean } from '../../ports/provider-api/redaction.ts';
import type { ProviderApisConfig } from '../../provider-settings.ts';

export interface SubscribeContext {
  /** With the endpoints that are listened to now. */
  tenants: readonly TenantConfig[];
  /** Folder of hookwatch.yaml, from which its files are seen. */
  configFolder: string;
  /** Where bearer tokens are kept. */
  tokenFolder: string;
  providerApis: ProviderApisConfig;
  limits?: Partial<ApiLimits>;
  nowMs?: () => number;
  out?: { write(text: string): void };
  error?: { write(text: string): void };
  /** Asks a person; undefined where nobody sits there. */
  ask?: ((question: string) => Promise<string>) | undefined;
}

export interface Options {
  'dry-run': boolean;
  yes: boolean;
  json: boolean;
}

/** Lines for people. What a provider says is in them: nothing that a terminal would act on gets through. */
export function writeLines({ out = process.stdout }: SubscribeContext, lines: readonly string[]): void {
  out.write(lines.map((line) => `${clean(line, [])}\n`).join(''));
}

/** True where it may be done. @throws ConfigError where nobody can be asked */
export async function confirm(question: string, { yes }: Options, { ask }: SubscribeContext): Promise<boolean> {
  if (yes) return true;
  if (!ask) throw new ConfigError('Cannot ask whether to do this: nobody sits at this terminal. --yes does it.');
  return /^y(es)?$/i.test((await ask(`${question} [y/N] `)).trim());
}

/** The person at the terminal, if there is one. */
export function askAtTerminal(): ((question: string) => Promise<string>) | undefined {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return undefined;
  return async (question) => {
    const lines = createInterface({ input: process.stdin, output: process.stdout });
    try {
      return await lines.question(question);
    } finally {
      lines.close();
    }
  };
}

export function publicUrlOf({ providerApis: { publicUrl } }: SubscribeContext): string {
  if (publicUrl) return publicUrl;
  throw new ConfigError(
    'Cannot say where a provider should call: give HOOKWATCH_PUBLIC_URL, for example https://hooks.example.com',
  );
}
