/** Builds lanes for tests: records in order, numbered as an edge numbers them. Every value has a default. */
import type { LaneRecord } from '../../../services/core/flow/flow.ts';
import { hexTime } from '../../../services/core/flow/ids.ts';
import type { Control, Delivery } from '../../../services/core/records/generated.ts';

export const startMs = Date.UTC(2026, 0, 5, 9, 0, 0);
export const tenant = 'acme';
export const boot = 'b000000000000001';

export const settingsDocument = {
  id: 'genesis',
  roots: ['centurylink:ACME'],
  endpoints: [],
  rules: { 'account-created-then-servers': { servers: 5, within_ms: 3_600_000 } },
  time: { past_ms: 3_600_000, future_ms: 60_000 },
  slack_ms: 2_000,
  lateness_ms: 172_800_000,
};

export const iso = (ms: number) => new Date(ms).toISOString();

export function deliveryOf(parts: Partial<Delivery> = {}): Delivery {
  const received = parts.received_at ?? startMs;
  return {
    tenant,
    boot,
    seq: 0,
    position: -1,
    id: `${hexTime(received)}-${parts.boot ?? boot}-${parts.seq ?? 0}`,
    received_at: received,
    endpoint: 'server-created',
    provider: 'centurylink',
    event_name: 'Server.Created',
    account: 'centurylink:ACME',
    origin: 'webhook',
    verdict: 'verified',
    verdict_reason: '',
    key_id: 'k1',
    headers: {},
    body: Buffer.from('{}'),
    flags: [],
    version: 0,
    withdrawn: false,
    ...parts,
  };
}

export function controlOf(parts: Partial<Control> = {}): Control {
  const received = parts.received_at ?? startMs;
  return {
    tenant,
    boot,
    seq: 0,
    position: -1,
    id: `${hexTime(received)}-${parts.boot ?? boot}-${parts.seq ?? 0}`,
    received_at: received,
    kind: 'tick',
    edge: '',
    predecessor: '',
    time: null,
    catching_up: false,
    document: '',
    idempotency_id: '',
    remark: '',
    version: 0,
    withdrawn: false,
    ...parts,
  };
}

export interface LaneBuilder {
  records: LaneRecord[];
  /** Posts a body as an event, `atMs` after the start. */
  post(event: string, body: unknown, atMs: number, parts?: Partial<Delivery>): LaneRecord;
  tick(atMs: number): LaneRecord;
  control(parts: Partial<Control>): LaneRecord;
}

/** A lane that begins with its settings and one boot. Positions are not dense, as in a log that several lanes share. */
export function laneOf(rule: Partial<{ servers: number; within_ms: number }> = {}, settings: object = {}): LaneBuilder {
  const records: LaneRecord[] = [];
  let seq = 0;
  const add = (record: LaneRecord['record']): LaneRecord => {
    const added = { position: records.length * 3, record };
    records.push(added);
    return added;
  };
  const control = (parts: Partial<Control>) =>
    add({ kind: 'control', value: controlOf({ ...parts, seq: parts.seq ?? seq++ }) });
  const rules = {
    'account-created-then-servers': { ...settingsDocument.rules['account-created-then-servers'], ...rule },
  };
  control({ kind: 'settings', document: JSON.stringify({ ...settingsDocument, rules, ...settings }) });
  control({ kind: 'boot', edge: 'edge-1' });
  return {
    records,
    control,
    tick: (atMs) => control({ kind: 'tick', received_at: startMs + atMs, time: startMs + atMs }),
    post(event, body, atMs, parts = {}) {
      const value = deliveryOf({
        event_name: event,
        endpoint: event.toLowerCase().replace('.', '-'),
        received_at: startMs + atMs,
        body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
        ...parts,
        seq: parts.seq ?? seq++,
      });
      return add({ kind: 'delivery', value });
    },
  };
}

export function accountBody(alias: string, more: object = {}) {
  return { accountAlias: alias, businessName: `${alias} Ltd`, parentAlias: 'ACME', status: 'Active', ...more };
}

/** A Server body created `createdMs` after the start. */
export function serverBody(alias: string, name: string, createdMs: number, more: object = {}) {
  return {
    id: name.toLowerCase(),
    name,
    locationId: 'WA1',
    status: 'active',
    details: { cpu: 2, memoryMB: 4096, powerState: 'started' },
    changeInfo: { createdDate: iso(startMs + createdMs), modifiedDate: iso(startMs + createdMs) },
    links: [{ rel: 'account', href: `/v2/accounts/${alias.toLowerCase()}`, id: 'other' }],
    ...more,
  };
}

export function alertBody(alias: string, server: string, trigger: object) {
  return { accountAlias: alias, serverName: server, triggers: [{ metric: 'cpu', duration: '00:05:00', ...trigger }] };
}
