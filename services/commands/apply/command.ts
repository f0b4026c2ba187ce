/** `hookwatch apply`: brings what hookwatch.yaml says into the lanes, as settings records that name their predecessor. */
import type { TenantConfig } from '../../config.ts';
import { createInstallation, type InstallationUrls } from '../../installation.ts';
import { settingsOf } from '../../settings.ts';
import { bringSettings } from './settings.ts';

export interface ApplyContext extends InstallationUrls {
  tenants: readonly TenantConfig[];
  /** How long a lane may take to read its new settings. */
  timeoutMs?: number;
  out?: { write(text: string): void };
}

export const applyUsage = `Usage: npm run hookwatch -- apply [options]

Brings the roots, endpoints and rules of hookwatch.yaml, and what \`hookwatch endpoints\` has made of the endpoints, into the
lanes of a running Hookwatch. Rules fire by the new thresholds from there on; what was found before stays. Tokens and
keys are read by the edges: when they start, and upon SIGHUP.

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
    const outcome = await bringSettings({
      tenant: tenant.name,
      wantedOf: () => settingsOf(tenant),
      installation,
      ...(context.timeoutMs !== undefined && { timeoutMs: context.timeoutMs }),
    }).catch((error: Error) => ({ failure: error.message }));
    if ('failure' in outcome) failures++;
    out.write(`${tenant.name}: ${'failure' in outcome ? `failed: ${outcome.failure}` : outcome.done}\n`);
  }
  return failures === 0 ? 0 : 1;
}
