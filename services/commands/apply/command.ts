/** `hookwatch apply`: brings what hookwatch.yaml says into the lanes, as settings records that name their predecessor. */
import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { TenantConfig } from '../../config.ts';
import { createInstallation, type Installation, type InstallationUrls } from '../../installation.ts';
import { canonicalJson, settingsOf } from '../../settings.ts';

export interface ApplyContext extends InstallationUrls {
  tenants: readonly TenantConfig[];
  /** How long a lane may take to read its new settings. */
  timeoutMs?: number;
  out?: { write(text: string): void };
}

export const applyUsage = `Usage: npm run hookwatch -- apply [options]

Brings the roots, endpoints and rules of hookwatch.yaml into the lanes of a running Hookwatch. Rules fire by the new
thresholds from there on; what was found before stays. Tokens and keys are read by the edge when it starts.

  --tenant NAME     only into the lane of this tenant
  --port-offset N   as given to npm start
  --help            this text

Exit code: 0 all lanes have them, 1 one has not (it says why), 2 wrong usage.
`;

/** Resolves to the exit code. */
export async function applyCommand(context: ApplyContext): Promise<number> {
  const { out = process.stdout } = context;
  const installation = createInstallation(context);
  let failures = 0;
  for (const tenant of context.tenants) {
    const outcome = await apply(tenant, installation, context.timeoutMs).catch((error: Error) => ({
      failure: error.message,
    }));
    if ('failure' in outcome) failures++;
    out.write(`${tenant.name}: ${'failure' in outcome ? `failed: ${outcome.failure}` : outcome.done}\n`);
  }
  return failures === 0 ? 0 : 1;
}

async function apply(
  tenant: TenantConfig,
  installation: Installation,
  timeoutMs = 10_000,
): Promise<{ done: string } | { failure: string }> {
  const settingsInForce = async () => (await installation.lanes())[tenant.name]?.settings;
  const current = await settingsInForce();
  if (!current) return { failure: 'its lane has no settings yet; an edge writes them when it starts' };
  const wanted = settingsOf(tenant);
  const { id: predecessor, ...inForce } = current;
  if (canonicalJson(inForce) === canonicalJson(wanted)) return { done: 'nothing has changed' };
  const id = await submit(tenant.name, wanted, predecessor, installation);
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    if ((await settingsInForce())?.id === id) return { done: `settings ${id} are in force` };
    await wait(50);
  }
  return { failure: `settings ${id} are journaled but not in force; hookwatch.control says why in its remark` };
}

async function submit(
  tenant: string,
  document: object,
  predecessor: string,
  installation: Installation,
): Promise<string> {
  // The same change asked for twice, by two people or after a lost answer, is one change.
  const digest = createHash('sha256').update(predecessor).update(canonicalJson(document)).digest('hex');
  const idempotency_id = `apply-${digest.slice(0, 32)}`;
  return installation.submit({ tenant, kind: 'settings', idempotency_id, document, predecessor });
}
