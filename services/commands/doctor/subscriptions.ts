/** Whether CenturyLink Cloud calls the endpoints that there are, by its own word; asked only where its credentials are given. */
import { ConfigError, type TenantConfig } from '../../config.ts';
import { createCenturylinkApi } from '../../ports/provider-api/centurylink.ts';
import type { ApiLimits } from '../../ports/provider-api/provider-api.ts';
import type { ProviderApisConfig } from '../../provider-settings.ts';
import { explain } from '../failures.ts';
import { planCenturylink } from '../subscribe/centurylink-plan.ts';
import { endpointsOf } from '../subscribe/targets.ts';
import { createKnownTokens } from '../subscribe/tokens.ts';
import { type Finding, findingsOf } from './finding.ts';

export interface SubscriptionsContext {
  tenants: readonly TenantConfig[];
  providerApis: ProviderApisConfig;
  tokenFolder: string;
  limits?: Partial<ApiLimits> | undefined;
  nowMs: number;
}

export async function checkSubscriptions(context: SubscriptionsContext): Promise<Finding[]> {
  const { tenants, providerApis, tokenFolder, limits } = context;
  const known = endpointsOf(tenants, 'centurylink');
  const accounts = [...new Set(known.map(({ endpoint }) => endpoint.account))].sort();
  const { publicUrl } = providerApis;
  const credentials = credentialsOf(providerApis);
  if (!publicUrl || !credentials || accounts.length === 0) return [];
  const { baseUrl } = providerApis.centurylink;
  const api = createCenturylinkApi({ baseUrl, ...credentials, tokenFolder, limits });
  try {
    const findings: Finding[] = [];
    for (const account of accounts) {
      const webhooks = await api.webhooks.list(account);
      findings.push(judge(account, webhooks, { ...context, publicUrl, known }));
    }
    return findings;
  } catch (error) {
    return [findingsOf('subscriptions').warn(explain(error), 'Nothing is known of what the provider calls.')];
  } finally {
    api.close();
  }
}

/** Undefined where nobody has given any. */
function credentialsOf({ centurylink }: ProviderApisConfig) {
  try {
    return centurylink.credentials();
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

function judge(
  account: string,
  webhooks: Parameters<typeof planCenturylink>[0],
  { known, publicUrl, nowMs }: SubscriptionsContext & { publicUrl: string; known: ReturnType<typeof endpointsOf> },
): Finding {
  const { ok, warn } = findingsOf('subscriptions');
  const tokens = createKnownTokens(known, nowMs);
  const plans = planCenturylink(webhooks, {
    account,
    publicUrl,
    known,
    tokens,
    replace: false,
    setRecursive: false,
    nowMs,
  });
  const open = plans.filter(({ done }) => !done).map(({ event }) => event);
  if (open.length === 0) return ok(`CenturyLink Cloud calls what it should for account ${account}`);
  return warn(
    `CenturyLink Cloud does not call what it should for account ${account}: ${open.join(', ')}`,
    `hookwatch subscribe clc --account ${account} shows what differs, and changes it.`,
  );
}
