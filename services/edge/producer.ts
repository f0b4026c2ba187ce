/**
 * Numbers the records of one edge.
 *
 * A boot is a producer: a start of the edge as one lane sees it, with a random id and a `seq`, dense from 0. The id is
 * another one in each lane, so that ids of records are unique among all tenants: who reads several lanes relies on it.
 * Boots of all lanes are opened at once, by one batch, before anything else is written under them; what is in doubt after
 * a failed append is never numbered again.
 *
 *     lane without genesis   0 settings   1 boot   2 delivery …
 *     lane                   0 boot       1 delivery …
 */
import type { TenantConfig } from '../config.ts';
import { encode } from '../core/records/codec.ts';
import type { Control, ControlKind } from '../core/records/generated.ts';
import type { NewRecord } from '../ports/log/log.ts';
import { canonicalJson, settingsOf } from '../settings.ts';
import { type EdgeState, type Lanes, lanesInJournal } from './state.ts';

/** The place of a record. `id` is what a sender is told: received time in hex (12 digits), '-', boot, '-', seq. */
export interface RecordNumber {
  boot: string;
  seq: number;
  id: string;
}

export interface Producer {
  /**
   * Starts a new boot in a journal whose next position is `next`; resolves, once the state has been saved, with the
   * records that must precede all others.
   */
  begin(next: number, receivedAt: number): Promise<readonly NewRecord[]>;
  /** Numbers the next record of a lane. */
  number(lane: string, receivedAt: number): RecordNumber;
}

export interface ProducerOptions {
  edge: string;
  tenants: readonly TenantConfig[];
  state: EdgeState;
  /** 16 hex digits, never the same twice. */
  randomId: () => string;
  save: (state: EdgeState) => Promise<void>;
}

export function createProducer({ edge, tenants, state: saved, randomId, save }: ProducerOptions): Producer {
  let state = saved;
  let boots = new Map<string, { id: string; next: number }>();

  function number(lane: string, receivedAt: number): RecordNumber {
    const boot = boots.get(lane)!;
    return recordNumber(boot.id, boot.next++, receivedAt);
  }

  function openLane(
    tenant: TenantConfig,
    lanes: Lanes,
    receivedAt: number,
  ): { settings: string; records: NewRecord[] } {
    const lane = tenant.name;
    const known = lanes[lane];
    const records: NewRecord[] = [];
    const add = (place: RecordNumber, kind: ControlKind, fields: Partial<Control>) =>
      records.push({ key: lane, frame: encode('control', controlRecord(lane, place, receivedAt, kind, fields)) });
    let settings = known?.settings;
    if (settings === undefined) {
      const place = number(lane, receivedAt);
      settings = place.id;
      add(place, 'settings', { document: canonicalJson(settingsOf(tenant)) });
    }
    add(number(lane, receivedAt), 'boot', { edge, predecessor: known?.boot ?? '' });
    return { settings, records };
  }

  return {
    async begin(next, receivedAt) {
      const lanes = lanesInJournal(state, next);
      boots = new Map(tenants.map(({ name }) => [name, { id: randomId(), next: 0 }]));
      const opened = tenants.map((tenant) => ({ lane: tenant.name, ...openLane(tenant, lanes, receivedAt) }));
      const openedLanes = Object.fromEntries(
        opened.map(({ lane, settings }) => [lane, { settings, boot: boots.get(lane)!.id }]),
      );
      state = { lanes, opening: { position: next, lanes: { ...lanes, ...openedLanes } } };
      await save(state);
      return opened.flatMap(({ records }) => records);
    },
    number,
  };
}

export function recordNumber(boot: string, seq: number, receivedAt: number): RecordNumber {
  return { boot, seq, id: `${receivedAt.toString(16).padStart(12, '0')}-${boot}-${seq}` };
}

/** A control record as an edge writes it; fields that its kind does not use keep their defaults. */
export function controlRecord(
  tenant: string,
  place: RecordNumber,
  receivedAt: number,
  kind: ControlKind,
  fields: Partial<Control>,
): Control {
  return {
    tenant,
    ...place,
    position: -1,
    received_at: receivedAt,
    kind,
    edge: '',
    predecessor: '',
    time: null,
    catching_up: false,
    document: '',
    idempotency_id: '',
    remark: '',
    version: 0,
    withdrawn: false,
    ...fields,
  };
}
