import { type FlowState, metaOf } from '../core/flow/state.ts';
import { objectionTo, type Takeover, takeoverOf } from '../core/flow/takeover.ts';
import { decode, isOfKnownSchema, kindOf, schemaIdOf } from '../core/records/codec.ts';
import type { Log, ReadLimits } from '../ports/log/log.ts';

/** A takeover that takes effect, as it stands in the log. */
export interface Sighting {
  takeover: Takeover;
  position: number;
  /** Position of the lane's last record before it. */
  before: number;
}

/** What lies behind a saved state. */
export interface Outlook {
  /** The first takeover that takes effect there; undefined as long as there is none. */
  sighting: Sighting | undefined;
  /** Position of the lane's next record, where a newer version has written it. */
  newer: number | undefined;
}

export interface Lookout {
  find(state: FlowState): Promise<Outlook>;
}

const limits: ReadLimits = { records: 5_000, bytes: 4 * 1024 * 1024 };

/** Looks through a lane without working on it; on from where it had come to, as long as the state is at one position. */
export function createLookout(tenant: string, records: Log): Lookout {
  let origin = Number.NaN;
  let next = 0;
  let before = 0;
  let sighting: Sighting | undefined;
  let newer: number | undefined;

  return {
    async find(state) {
      const { position, epoch } = metaOf(state);
      if (position !== origin) {
        origin = position;
        next = Math.max(position + 1, (await records.bounds()).first);
        before = position;
        sighting = undefined;
        newer = undefined;
      }
      while (!sighting) {
        const batch = await records.read(next, limits);
        if (batch.length === 0) break;
        for (const record of batch) {
          if (record.key !== tenant) continue;
          const isKnown = isOfKnownSchema(record.frame);
          if (!isKnown && before === position) newer = record.position;
          const takeover = isKnown ? readTakeover(record.frame) : undefined;
          if (takeover?.epoch === epoch + 1 && objectionTo(state, takeover) === '') {
            sighting ??= { takeover, position: record.position, before };
          }
          before = record.position;
        }
        next = batch.at(-1)!.position + 1;
      }
      return { sighting, newer };
    },
  };
}

/** Deliveries are not decoded: there may be hours of them. */
function readTakeover(frame: Uint8Array): Takeover | undefined {
  return kindOf(schemaIdOf(frame)) === 'control' ? takeoverOf(decode(frame)) : undefined;
}
