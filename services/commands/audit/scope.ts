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
  keptSince: Record<'deliveries' | 'facts', number>;
}

export function timeOf<K extends OutputKind>(kind: K, value: RecordTypes[K]): number {
  return value[timeColumnOf(kind) as keyof RecordTypes[K]] as number;
}

/** Start of the first hour that is compared. */
export function firstHour(kind: OutputKind, { keptSince }: Scope): number {
  return Math.ceil(keptSince[kind === 'delivery' ? 'deliveries' : 'facts'] / hourMs) * hourMs;
}

export function hourOf(timeMs: number): number {
  return Math.floor(timeMs / hourMs) * hourMs;
}
