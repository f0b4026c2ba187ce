import type { TenantConfig } from './config.ts';
import { settingsDefaults } from './core/flow/state.ts';

/** What the flow assumes about time, in milliseconds. A body's own time counts only within past and future. */
const timeSettings = { time: { past_ms: 3_600_000, future_ms: 60_000 }, slack_ms: 2000, lateness_ms: 172_800_000 };

/** The document of a `settings` record: what the flow must know of a tenant. Never tokens or their hashes. */
export function settingsOf(tenant: TenantConfig) {
  const endpoints = tenant.endpoints.map(({ name, provider, event, account, recursive }) => ({
    name,
    provider,
    event,
    account,
    recursive,
  }));
  const { roots, accounts, rules } = tenant;
  return { ...settingsDefaults, roots, accounts: accounts ?? [], endpoints, rules, ...timeSettings };
}

/** JSON without spaces, keys sorted: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
