import type { OutputKind } from '../../core/records/codec.ts';
import type { RecordTypes } from '../../core/records/generated.ts';
import { timeColumnOf } from '../../ports/warehouse/tables.ts';
import { hourMs } from '../replay/slices.ts';
import type { Depth } from './fingerprint.ts';

/** What is compared of a lane. */
export interface Scope {
  tenant: string;
  /** Rows made by records behind this position … */
  after: number;
  /** … up to this one. */
  until: number;
  depth: Depth;
  /** Rows older than this may have left their tables; epoch milliseconds. */
  keptSince: Record<'deliveries' | 'persons' | 'facts', number>;
}

export function timeOf<K extends OutputKind>(kind: K, value: RecordTypes[K]): number {
  return value[timeColumnOf(kind) as keyof RecordTypes[K]] as number;
}

/** Start of the first hour that is compared. Of kinds whose rows leave at different ages, those that all are there yet. */
export function firstHour(kind: OutputKind, { keptSince: { deliveries, persons, facts } }: Scope): number {
  const ofPersons = kind === 'event' || kind === 'change';
  const since = kind === 'delivery' ? deliveries : ofPersons ? Math.max(persons, facts) : facts;
  return Math.ceil(since / hourMs) * hourMs;
}

export function hourOf(timeMs: number): number {
  return Math.floor(timeMs / hourMs) * hourMs;
}
