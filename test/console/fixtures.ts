import { encode, type RecordKind } from '../../services/core/records/codec.ts';
import type {
  Delivery,
  Detection,
  Episode,
  Event,
  RecordTypes,
  Reject,
} from '../../services/core/records/generated.ts';
import type { Log, NewRecord } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';

/** 1 March 2026, 12:00 UTC. */
export const noon = Date.UTC(2026, 2, 1, 12);

/** Formed like the ids of the flow: the time first, so that they sort by it. */
export function idAt(time: number, tail: number | string): string {
  return `${time.toString(16).padStart(12, '0')}-${String(tail).padStart(20, '0')}`;
}

export function makeDelivery(given: Partial<Delivery> & { seq: number }): Delivery {
  const received_at = given.received_at ?? noon + given.seq;
  return {
    tenant: 'northwind',
    boot: 'b0',
    position: given.seq,
    id: deliveryId(given.seq),
    received_at,
    endpoint: 'server-updated',
    provider: 'centurylink',
    event_name: 'Server.Updated',
    account: 'centurylink:NWND',
    origin: 'webhook',
    verdict: 'verified',
    verdict_reason: '',
    key_id: 'demo',
    headers: { 'content-type': 'application/json', 'tier3-rsasha1': 'c2lnbmF0dXJl' },
    body: Buffer.from('{"name":"WA1NWNDWEB01"}'),
    flags: [],
    version: 1,
    withdrawn: false,
    ...given,
  };
}

export function deliveryId(seq: number): string {
  return `${(noon + seq).toString(16).padStart(12, '0')}-b0-${seq}`;
}

export function eventId(seq: number): string {
  return idAt(noon + seq, seq);
}

export function makeEvent(given: Partial<Event> & { seq: number }): Event {
  const { seq, ...rest } = given;
  const received_at = given.received_at ?? noon + seq;
  return {
    tenant: 'northwind',
    id: eventId(seq),
    version: 1,
    withdrawn: false,
    replaced_by: '',
    first_received_at: received_at,
    position: seq,
    deliveries: [deliveryId(seq)],
    received_at,
    provider: 'centurylink',
    source: '/centurylink/server-updated',
    type: `centurylink.${given.entity ?? 'server'}.${given.action ?? 'updated'}`,
    subject: 'WA1NWNDWEB01',
    time: received_at,
    time_basis: 'received',
    entity: 'server',
    action: 'updated',
    account: 'centurylink:NWND',
    parent_account: '',
    novelty: 'known',
    location: 'WA1',
    flags: [],
    data: '{}',
    origin: 'webhook',
    actor: '',
    correlation: '',
    attributes: {},
    unknown_fields: [],
    endpoints: ['server-updated'],
    ...rest,
  };
}

export function makeReject(given: Partial<Reject> & { seq: number }): Reject {
  const { seq, ...rest } = given;
  const received_at = given.received_at ?? noon + seq;
  return {
    tenant: 'northwind',
    id: idAt(received_at, `f${seq}`),
    version: 1,
    withdrawn: false,
    replaced_by: '',
    first_received_at: received_at,
    position: seq,
    delivery: deliveryId(seq),
    received_at,
    endpoint: 'user-updated',
    provider: 'centurylink',
    event_name: 'User.Updated',
    account: 'centurylink:NWND',
    reason: 'signature mismatch',
    detail: '',
    ...rest,
  };
}

export function makeEpisode(given: Partial<Episode>): Episode {
  return {
    tenant: 'northwind',
    id: idAt(noon, 'e'),
    version: 1,
    withdrawn: false,
    replaced_by: '',
    first_received_at: noon,
    position: 0,
    account: 'centurylink:NWND',
    server: 'WA1NWNDWEB01',
    metric: 'cpu',
    state: 'open',
    opened_at: noon,
    closed_at: null,
    length_ms: null,
    ended_by: '',
    policy_duration: '00:05:00',
    events: [],
    flags: [],
    ...given,
  };
}

export function makeDetection(given: Partial<Detection>): Detection {
  return {
    tenant: 'northwind',
    id: idAt(noon, 'd'),
    version: 1,
    withdrawn: false,
    replaced_by: '',
    first_received_at: noon,
    position: 0,
    account: 'centurylink:FRD1',
    rule: 'account-created-then-servers',
    title: 'Account FRD1 was created and then 5 servers within 1 h',
    severity: 'high',
    started_at: noon,
    fired_at: noon + 60_000,
    threshold: 5,
    window_ms: 3_600_000,
    count: 5,
    subjects: ['WA1FRD1A01', 'WA1FRD1A02'],
    events: [],
    ...given,
  };
}

export function frame<K extends RecordKind>(kind: K, value: RecordTypes[K]): NewRecord {
  return { key: value.tenant, frame: encode(kind, value) };
}

/** A delivery and the event made of it. */
export function framePair(given: Partial<Event> & { seq: number }, delivery: Partial<Delivery> = {}): NewRecord[] {
  const received_at = given.received_at ?? noon + given.seq;
  return [
    frame('delivery', makeDelivery({ seq: given.seq, received_at, ...delivery })),
    frame('event', makeEvent(given)),
  ];
}

/** A rejected delivery and its reject. */
export function frameRejected(given: Partial<Reject> & { seq: number }, delivery: Partial<Delivery> = {}): NewRecord[] {
  const reject = makeReject(given);
  return [
    frame(
      'delivery',
      makeDelivery({
        seq: given.seq,
        received_at: reject.received_at,
        event_name: reject.event_name,
        endpoint: reject.endpoint,
        verdict: 'rejected',
        verdict_reason: reject.reason,
        key_id: '',
        ...delivery,
      }),
    ),
    frame('reject', reject),
  ];
}

export async function createLogOf(...batches: NewRecord[][]): Promise<Log> {
  const log = createMemoryLog();
  for (const batch of batches) await log.append(batch);
  return log;
}
