import type { OutputKind } from '../../core/records/codec.ts';

/** A kind of record that has a table: the flow's outputs, and what the sink keeps of rows that were refused. */
export type TableKind = OutputKind | 'refusal';

/** The view of a kind of record, for people: each id's highest version, unless withdrawn. */
export const viewOf: Record<TableKind, string> = {
  backup: 'hookwatch.backups',
  change: 'hookwatch.changes',
  control: 'hookwatch.control',
  coverage: 'hookwatch.coverage',
  delivery: 'hookwatch.deliveries',
  detection: 'hookwatch.detections',
  episode: 'hookwatch.episodes',
  event: 'hookwatch.events',
  hierarchy: 'hookwatch.hierarchy',
  loss: 'hookwatch.losses',
  pane: 'hookwatch.panes',
  reconciliation: 'hookwatch.reconciliations',
  refusal: 'hookwatch.sink_refused',
  reject: 'hookwatch.rejects',
};

/** What people read from. A rebuild fills another database and changes the tables for its own. */
export const mainDatabase = 'hookwatch';

/** The table behind it: every version of every row. */
export function tableOf(kind: TableKind, database = mainDatabase): string {
  return `${database}${viewOf[kind].slice(mainDatabase.length)}_rows`;
}

/** The column of a kind of record by which its rows lie and leave; an output's is fixed with its id. */
export function timeColumnOf(kind: OutputKind): 'received_at' | 'first_received_at';
export function timeColumnOf(kind: TableKind): 'received_at' | 'first_received_at' | 'refused_at';
export function timeColumnOf(kind: TableKind): 'received_at' | 'first_received_at' | 'refused_at' {
  if (kind === 'refusal') return 'refused_at';
  return kind === 'delivery' || kind === 'control' ? 'received_at' : 'first_received_at';
}
