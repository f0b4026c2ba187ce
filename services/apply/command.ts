/** `hookwatch apply`: brings what hookwatch.yaml says into the lanes, as settings records that name their predecessor. */
import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { TenantConfig } from '../config.ts';
import { canonicalJson, settingsOf } from '../settings.ts';

export interface ApplyContext {
  /** The edge's internal port: http://127.0.0.1:8081. */
  edgeInternalUrl: string;
  /** Tells what is in force in the lanes. */
  consoleUrl: string;
  tenants: readonly TenantConfig[];
  /** How long a lane may take to read its new settings. */
  timeoutMs?: number;
  out?: { write(text: string): void };
}

export const applyUsage = `Usage: npm run hookwatch -- apply [--port-offset N]

Brings the roots, endpoints and rules of hookwatch.yaml into the lanes of a running Hookwatch. Rules fire by the new
thresholds from there on; what was found before stays. Tokens and keys are read by the edge when it starts.

Exit code: 0 all lanes have them, 1 one has not (it says why), 2 wrong usage.
`;

type Lanes = Record<string, { settings?: { id: string } }>;

/** Resolves to the exit code. */
export async function applyCommand(context: ApplyContext): Promise<number> {
  const { out = process.stdout } = context;
  let failures = 0;
  for (const tenant of context.tenants) {
    const outcome = await apply(tenant, context).catch((error: Error) => ({ failure: error.message }));
    if ('failure' in outcome) failures++;
    out.write(`${tenant.name}: ${'failure' in outcome ? `failed: ${outcome.failure}` : outcome.done}\n`);
  }
  return failures === 0 ? 0 : 1;
}

async function apply(tenant: TenantConfig, context: ApplyContext): Promise<{ done: string } | { failure: string }> {
  const current = await settingsInForce(tenant.name, context);
  if (!current) return { failure: 'its lane has no settings yet; an edge writes them when it starts' };
  const wanted = settingsOf(tenant);
  const { id: predecessor, ...inForce } = current;
  if (canonicalJson(inForce) === canonicalJson(wanted)) return { done: 'nothing has changed' };
  const id = await submit(tenant.name, wanted, predecessor, context);
  const deadline = performance.now() + (context.timeoutMs ?? 10_000);
  while (performance.now() < deadline) {
    if ((await settingsInForce(tenant.name, context))?.id === id) return { done: `settings ${id} are in force` };
    await wait(50);
  }
  return { failure: `settings ${id} are journaled but not in force; hookwatch.control says why in its remark` };
}

async function settingsInForce(tenant: string, { consoleUrl }: ApplyContext): Promise<{ id: string } | undefined> {
  const answer = await call(`${consoleUrl}/lanes`);
  return ((await answer.json()) as Lanes)[tenant]?.settings;
}

async function submit(tenant: string, document: object, predecessor: string, context: ApplyContext): Promise<string> {
  // The same change asked for twice, by two people or after a lost answer, is one change.
  const digest = createHash('sha256').update(predecessor).update(canonicalJson(document)).digest('hex');
  const idempotency_id = `apply-${digest.slice(0, 32)}`;
  const body = JSON.stringify({ tenant, kind: 'settings', idempotency_id, document, predecessor });
  const headers = { 'content-type': 'application/json' };
  const answer = await call(`${context.edgeInternalUrl}/control`, { method: 'POST', headers, body });
  return ((await answer.json()) as { id: string }).id;
}

async function call(url: string, init?: RequestInit): Promise<Response> {
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(5_000) }).catch((error: Error) => {
    throw new Error(`Cannot reach ${url}: is Hookwatch running (npm start)? ${error.message}`, { cause: error });
  });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  return answer;
}
