import type { RecordKind } from '../../core/records/codec.ts';

/** The view of a kind of record, for people: each id's highest version, unless withdrawn. */
export const viewOf: Record<RecordKind, string> = {
  control: 'hookwatch.control',
  delivery: 'hookwatch.deliveries',
  detection: 'hookwatch.detections',
  episode: 'hookwatch.episodes',
  event: 'hookwatch.events',
  pane: 'hookwatch.panes',
  reject: 'hookwatch.rejects',
};

/** The table behind it: every version of every row. */
export function tableOf(kind: RecordKind): string {
  return `${viewOf[kind]}_rows`;
}
