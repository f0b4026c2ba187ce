/** Brings settings into a lane, as a record that names the settings that it replaces. */
import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Document } from '../../core/flow/documents.ts';
import type { Installation } from '../../installation.ts';
import { canonicalJson } from '../../settings.ts';

export type SettingsDocument = Document<'settings'>;
export type Outcome = { done: string } | { failure: string };

export interface BringOptions {
  tenant: string;
  /** The document that is wanted, from the one that is in force. */
  wantedOf: (inForce: SettingsDocument) => object;
  installation: Installation;
  /** How long the lane may take to read it. */
  timeoutMs?: number;
  /** Where somebody else's settings came first: make the document anew, from theirs. Otherwise that is a failure. */
  again?: boolean;
}

/** Resolves once they are in force, or with why they are not. Rejects where nobody answers. */
export async function bringSettings(options: BringOptions): Promise<Outcome> {
  const { tenant, wantedOf, installation, timeoutMs = 10_000, again = false } = options;
  const settingsInForce = async () => (await installation.lanes())[tenant]?.settings;
  const deadline = performance.now() + timeoutMs;
  let current = await settingsInForce();
  if (!current) return { failure: 'its lane has no settings yet; an edge writes them when it starts' };
  let id: string;
  do {
    const { id: predecessor, ...inForce } = current;
    const wanted = wantedOf(inForce);
    if (canonicalJson(inForce) === canonicalJson(wanted)) return { done: 'nothing has changed' };
    id = await submit(tenant, wanted, predecessor, installation);
    while (performance.now() < deadline && current.id === predecessor) {
      await wait(50);
      current = (await settingsInForce()) ?? current;
    }
    if (current.id === id) return { done: `settings ${id} are in force` };
  } while (again && performance.now() < deadline);
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
