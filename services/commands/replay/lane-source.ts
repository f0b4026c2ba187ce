import type { LaneRecord } from '../../core/flow/flow.ts';
import { type Takeover, takeoverOf } from '../../core/flow/takeover.ts';
import { decode, kindOf, schemaIdOf } from '../../core/records/codec.ts';
import { type Place, placeOf } from '../../core/records/place.ts';
import type { Log } from '../../ports/log/log.ts';

/** A lane that can be read again, from a log or from what became of one. Reading changes nothing. */
export interface LaneSource {
  /** What it holds, looked through from end to end. */
  survey(): Promise<Survey>;
  /** The next records behind a position. */
  read(after: number): Promise<Page>;
}

export interface Page {
  /** None where the source holds only other lanes' records there. */
  records: readonly LaneRecord[];
  /** Up to where these are all of the lane's records; the position that was asked for at the end of the source. */
  upTo: number;
}

export interface Survey {
  /** The oldest position of the source: it does not tell what was before. */
  first: number;
  /** The newest position of the source, -1 where it is empty. */
  last: number;
  /** The oldest of the lane's records there. */
  begin: (Place & { position: number; genesis: boolean }) | undefined;
  takeovers: (Takeover & { position: number })[];
}

/** As many as a worker takes at once. */
const limits = { records: 2_000, bytes: 4 * 1024 * 1024 };

/** The lane of a tenant as a log holds it, with other tenants' records between. */
export function createLogSource(log: Pick<Log, 'read' | 'bounds'>, tenant: string): LaneSource {
  return {
    async survey() {
      const { first, next } = await log.bounds();
      const survey: Survey = { first, last: next - 1, begin: undefined, takeovers: [] };
      for (let from = first; from < next; ) {
        const batch = await log.read(from, limits);
        for (const { position, key, frame } of batch) {
          if (key !== tenant || position >= next) continue;
          const record = kindOf(schemaIdOf(frame)) === 'control' ? decode(frame) : undefined;
          survey.begin ??= { ...placeOf(frame), position, genesis: record !== undefined && isGenesis(record) };
          const takeover = record && takeoverOf(record);
          if (takeover) survey.takeovers.push({ ...takeover, position });
        }
        from = batch.length === 0 ? next : batch.at(-1)!.position + 1;
      }
      return survey;
    },
    async read(after) {
      const batch = await log.read(after + 1, limits);
      return {
        records: batch
          .filter(({ key }) => key === tenant)
          .map(({ position, frame }) => ({ position, record: decode(frame) })),
        upTo: batch.at(-1)?.position ?? after,
      };
    },
  };
}

/** Whether a lane can begin with the record. */
export function isGenesis({ kind, value }: LaneRecord['record']): boolean {
  return kind === 'control' && value.kind === 'settings' && value.predecessor === '';
}
