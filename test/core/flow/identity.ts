/** Lanes in which accounts must be known and events come by several endpoints. Times in minutes after the start. */
import type { Output } from '../../../services/core/flow/context.ts';
import { step } from '../../../services/core/flow/flow.ts';
import { createState } from '../../../services/core/flow/state.ts';
import { summarize } from '../../../services/core/flow/summary.ts';
import type { OutputKind } from '../../../services/core/records/codec.ts';
import type { Delivery, RecordTypes } from '../../../services/core/records/generated.ts';
import { type LaneBuilder, laneOf, settingsDocument, startMs } from './lane.ts';

export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;

export interface EndpointParts {
  name: string;
  event: string;
  account: string;
  recursive?: boolean;
}

/** Puts settings in force in place of the lane's first ones. */
export function settle(lane: LaneBuilder, more: object, predecessor = genesisOf(lane), atMin = 0): string {
  const document = JSON.stringify({ ...settingsDocument, ...more });
  const { record } = lane.control({ kind: 'settings', predecessor, document, received_at: startMs + atMin * minute });
  return (record.value as { id: string }).id;
}

export function genesisOf(lane: LaneBuilder): string {
  return (lane.records[0]!.record.value as { id: string }).id;
}

export function endpointsOf(...endpoints: EndpointParts[]) {
  return endpoints.map(({ recursive = true, ...rest }) => ({ provider: 'centurylink', recursive, ...rest }));
}

/** A lane with two accounts that are told of: the root, and a reseller below it. */
export function laneOfTwo(event = 'Server.Updated', more: object = {}): LaneBuilder {
  const lane = laneOf();
  const endpoints = endpointsOf({ name: 'root', event, account: 'ACME' }, { name: 'sub', event, account: 'SUB' });
  settle(lane, { endpoints, ...more });
  lane.post('Account.Updated', { accountAlias: 'SUB', parentAlias: 'ACME', businessName: 'Sub' }, 0);
  return lane;
}

/** A comparison with the provider's API begins. */
export function beginComparison(lane: LaneBuilder): void {
  const document = {
    ...{ run: 'run-1', provider: 'centurylink', host: 'api.example', phase: 'begin', bootstrap: false, scope: 'all' },
    ...{ started_at: startMs, reason: '', accounts: [] },
  };
  lane.control({ kind: 'reconciliation', document: JSON.stringify(document) });
}

export const at = (account: string, endpoint = account.toLowerCase()): Partial<Delivery> => ({
  account: `centurylink:${account}`,
  endpoint: account === 'ACME' ? 'root' : endpoint,
});

export function run(lane: LaneBuilder) {
  const { state, outputs } = step(createState(), lane.records);
  return { state, outputs, summary: summarize(state), rows: <K extends OutputKind>(kind: K) => newest(outputs, kind) };
}

/** The newest version of each row, in order of their ids, without those that were withdrawn. */
export function newest<K extends OutputKind>(outputs: readonly Output[], kind: K): RecordTypes[K][] {
  const rows = new Map<string, RecordTypes[K] & { id: string; version: number; withdrawn: boolean }>();
  for (const output of outputs) {
    if (output.kind !== kind) continue;
    const row = output.value as RecordTypes[K] & { id: string; version: number; withdrawn: boolean };
    if ((rows.get(row.id)?.version ?? 0) <= row.version) rows.set(row.id, row);
  }
  return [...rows.values()].filter(({ withdrawn }) => !withdrawn).sort((a, b) => (a.id < b.id ? -1 : 1));
}
