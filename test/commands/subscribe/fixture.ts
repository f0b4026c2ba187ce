import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { subscribeCommand } from '../../../services/commands/subscribe/command.ts';
import type { SubscribeContext } from '../../../services/commands/subscribe/context.ts';
import { type EndpointConfig, hashToken, type TenantConfig } from '../../../services/config.ts';
import { parseProviderSettings } from '../../../services/provider-settings.ts';

export const publicUrl = 'https://hooks.example.com';

/** An endpoint whose token is `token-of-<name>-0123456789`; Hookwatch knows its hash alone. */
export function endpoint(name: string, fields: Partial<EndpointConfig> = {}): EndpointConfig {
  const common = { provider: 'centurylink', event: 'Server.Created', account: 'ALTD', recursive: true };
  return { name, ...common, tokenSha256: hashToken(tokenOf(name)), ...fields };
}

export function tokenOf(name: string): string {
  return `token-of-${name}-0123456789`;
}

export function url(name: string, base = publicUrl): string {
  return `${base}/in/${tokenOf(name)}`;
}

export function tenant(endpoints: EndpointConfig[], name = 'northwind'): TenantConfig {
  const rules = { 'account-created-then-servers': { servers: 5, within_ms: 3_600_000 } };
  return { name, demo: false, roots: ['centurylink:ALTD'], endpoints, rules };
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-subscribe-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Runs the command with these endpoints; resolves to its exit code, its output, and the error that it threw. */
export function createRun(variables: Record<string, string>) {
  const folder = temporaryFolder();
  const parsed = parseProviderSettings({ HOOKWATCH_PUBLIC_URL: publicUrl, ...variables });
  if (!parsed.ok) throw parsed.error;
  const base: Omit<SubscribeContext, 'tenants'> = {
    configFolder: folder,
    tokenFolder: join(folder, 'secrets'),
    providerApis: parsed.providerApis,
    limits: { retryMsFirst: 1, retryMsMax: 5, callsPerSecondMax: 10_000 },
    ask: undefined,
  };
  const run = async (args: string[], tenants: TenantConfig[], more: Partial<SubscribeContext> = {}) => {
    let out = '';
    const sink = { write: (text: string) => (out += text) };
    const code = await subscribeCommand(args, { ...base, tenants, out: sink, error: sink, ...more }).catch(
      (error: Error) => {
        out += error.message;
        return 2;
      },
    );
    return { code, out };
  };
  return { folder, run };
}
