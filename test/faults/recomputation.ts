/** What a lane leads to, worked out anew from its first record. */
import { type LaneRecord, step } from '../../services/core/flow/flow.ts';
import { createState } from '../../services/core/flow/state.ts';
import { type LaneSummary, summarize } from '../../services/core/flow/summary.ts';
import { decode, type OutputKind } from '../../services/core/records/codec.ts';
import type { Log } from '../../services/ports/log/log.ts';

export interface Recomputation {
  summary: LaneSummary;
  /** Deliveries in the log, each counted once. */
  deliveries: number;
  /** Per kind and id the row that must be seen, as text. */
  rows: Map<OutputKind, Map<string, string>>;
  /** Everything that was ever put out: kind, id, version and content, as text. */
  emitted: Set<string>;
}

/** @param tenant whose lane it is, where the log holds several */
export async function recompute(records: Log, tenant?: string): Promise<Recomputation> {
  const lane = await readAll(records, tenant);
  const { state, outputs } = step(createState(), lane);
  const rows: Recomputation['rows'] = new Map();
  const versions = new Map<string, number>();
  const emitted = new Set<string>();
  for (const { kind, value } of outputs) {
    const place = `${kind} ${value.id}`;
    emitted.add(textOfOutput({ kind, value }));
    if (value.version < (versions.get(place) ?? 0)) continue;
    versions.set(place, value.version);
    const table = rows.get(kind) ?? new Map<string, string>();
    rows.set(kind, table);
    if (value.withdrawn) table.delete(value.id);
    else table.set(value.id, textOf(value));
  }
  return {
    summary: summarize(state),
    deliveries: new Set(lane.flatMap(({ record }) => (record.kind === 'delivery' ? [record.value.id] : []))).size,
    rows,
    emitted,
  };
}

/** An output as text, with its version. */
export function textOfOutput({ kind, value }: { kind: string; value: object }): string {
  return `${kind} ${textOf(value)}`;
}

/** A row as text: the same for the same content, whatever the order of its fields. */
export function textOf(row: object): string {
  return JSON.stringify(row, (_, value) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

async function readAll(records: Log, tenant?: string): Promise<LaneRecord[]> {
  const lane: LaneRecord[] = [];
  let { first: position } = await records.bounds();
  for (;;) {
    const batch = await records.read(position, { records: 5_000, bytes: 16 * 1024 * 1024 });
    if (batch.length === 0) return lane;
    for (const { key, position, frame } of batch) {
      if (tenant === undefined || key === tenant) lane.push({ position, record: decode(frame) });
    }
    position = batch.at(-1)!.position + 1;
  }
}
