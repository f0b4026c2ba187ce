import type { Delivery, Detection, Episode, Event, Reject } from '../core/records/generated.ts';

/** Where an entry stands on the page: the four entities, what else providers tell of, and rejects that nobody can place. */
export const columns = ['account', 'alert', 'user', 'server', 'other', 'rejected'] as const;
export type Column = (typeof columns)[number];

/** One line of a column: what the list shows of an event or a reject. Its size is bounded; a body is never in it. */
export interface Row {
  /** Id of the event or reject. */
  id: string;
  column: Column;
  kind: 'event' | 'reject';
  /** What happened: created, updated, deleted, notified, …; rejected. */
  action: string;
  /** What the event is about; why a reject was rejected. */
  subject: string;
  account: string;
  tenant: string;
  /** Name of the event as the provider was told to send it, or the event's type. */
  name: string;
  novelty: Event['novelty'] | '';
  location: string;
  flags: string[];
  /** Empty while the delivery is not known. */
  verdict: Delivery['verdict'] | '';
  key_id: string;
  /** received_at of the first delivery: rows are sorted by it, newest first, then by `order`. */
  received_at: number;
  /** Position in the outputs log at which the id was first met. */
  order: number;
  /** Id of the delivery to show. */
  delivery: string;
  /** How many deliveries state it: 2 with a twin. */
  deliveries: number;
  /** No webhook told of it at first: a comparison with the provider did. */
  recovered: boolean;
  /** Of an alert that belongs to an episode: what it did to it, and how it stands now. */
  episode?: {
    metric: string;
    happened: 'opened' | 'closed';
    state: Episode['state'];
    length_ms: number | null;
  };
}

/** An event behind a detection, as far as it was ever known here. */
export interface Evidence {
  event: string;
  delivery: string;
  name: string;
  subject: string;
  received_at: number;
}

/** One line of the list of detections. */
export interface DetectionRow {
  id: string;
  tenant: string;
  account: string;
  rule: string;
  title: string;
  severity: Detection['severity'];
  count: number;
  threshold: number;
  window_ms: number;
  started_at: number;
  received_at: number;
  order: number;
  /** The first ones of them. */
  subjects: string[];
}

const textCharactersMax = 160;
const listLengthMax = 12;

/** The row of an event, with what is known of its first delivery and its episode. */
export function describeEvent(event: Event, order: number, delivery?: Delivery, episode?: Episode): Row {
  return {
    id: event.id,
    column: columnOf(event.entity) ?? 'other',
    kind: 'event',
    action: clip(event.action),
    subject: clip(event.subject),
    account: clip(event.account),
    tenant: event.tenant,
    name: clip(delivery?.event_name || event.type),
    novelty: event.novelty,
    location: clip(event.location),
    flags: joinFlags(event.flags, delivery?.flags),
    verdict: delivery?.verdict ?? '',
    key_id: delivery?.key_id ?? '',
    received_at: event.first_received_at,
    order,
    delivery: event.deliveries[0] ?? '',
    deliveries: event.deliveries.length,
    recovered: event.origin === 'reconcile',
    ...(episode && {
      episode: {
        metric: clip(episode.metric),
        happened: hasClosed(event, episode) ? 'closed' : 'opened',
        state: episode.state,
        length_ms: episode.length_ms,
      },
    }),
  };
}

/** Whether an episode's end is this event's doing: a closing has the end's time, where its body's time counted. */
function hasClosed(event: Event, { closed_at, ended_by, events }: Episode): boolean {
  if (ended_by !== 'alert' || closed_at === null) return false;
  return event.time_basis === 'provider' ? event.time >= closed_at : events.at(-1) === event.id;
}

/**
 * Whether an episode is the event's to show. Where an opening was followed by another one, the second ended the first
 * episode too, but what it tells of is its own. A deletion that has ended an episode tells of a server or an account.
 */
export function isToldBy(event: Event, { closed_at, ended_by }: Episode): boolean {
  if (event.entity !== 'alert') return false;
  return ended_by !== 'next_opening' || closed_at === null || event.time < closed_at;
}

/** The row of a reject. It stands where its event would have stood, as far as the endpoint says. */
export function describeReject(reject: Reject, order: number, delivery?: Delivery): Row {
  return {
    id: reject.id,
    column: columnOf(reject.event_name.split('.')[0]?.toLowerCase() ?? '') ?? 'rejected',
    kind: 'reject',
    action: 'rejected',
    subject: clip(reject.reason),
    account: clip(reject.account || delivery?.account || ''),
    tenant: reject.tenant,
    name: clip(reject.event_name || reject.endpoint),
    novelty: '',
    location: '',
    flags: joinFlags([], delivery?.flags),
    verdict: delivery?.verdict ?? '',
    key_id: delivery?.key_id ?? '',
    received_at: reject.first_received_at,
    order,
    delivery: reject.delivery,
    deliveries: 1,
    recovered: false,
  };
}

export function describeDetection(detection: Detection, order: number): DetectionRow {
  return {
    id: detection.id,
    tenant: detection.tenant,
    account: clip(detection.account),
    rule: clip(detection.rule),
    title: clip(detection.title),
    severity: detection.severity,
    count: detection.count,
    threshold: detection.threshold,
    window_ms: detection.window_ms,
    started_at: detection.started_at,
    received_at: detection.fired_at,
    order,
    subjects: detection.subjects.slice(0, listLengthMax).map(clip),
  };
}

/** The order of every list: newest first. The page sorts in the same way. */
export function compareRows(a: Pick<Row, 'received_at' | 'order'>, b: Pick<Row, 'received_at' | 'order'>): number {
  return b.received_at - a.received_at || b.order - a.order;
}

function columnOf(entity: string): Column | undefined {
  return columns.find((column) => column === entity && column !== 'rejected' && column !== 'other');
}

function clip(text: string): string {
  return text.length <= textCharactersMax ? text : `${text.slice(0, textCharactersMax - 1)}…`;
}

function joinFlags(flags: readonly string[], more: readonly string[] = []): string[] {
  return [...new Set([...flags, ...more])].slice(0, listLengthMax).map(clip);
}
