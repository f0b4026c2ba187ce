import type { OutputKind } from '../core/records/codec.ts';
import type { RecordTypes } from '../core/records/generated.ts';
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

export const hourMs = 3_600_000;

/** The column by which rows of a kind lie, and leave: fixed with their id. */
export function timeColumn(kind: OutputKind): 'received_at' | 'first_received_at' {
  return kind === 'delivery' || kind === 'control' ? 'received_at' : 'first_received_at';
}

export function timeOf<K extends OutputKind>(kind: K, value: RecordTypes[K]): number {
  return value[timeColumn(kind) as keyof RecordTypes[K]] as number;
}

/** Start of the first hour that is compared. */
export function firstHour(kind: OutputKind, { keptSince }: Scope): number {
  return Math.ceil(keptSince[kind === 'delivery' ? 'deliveries' : 'facts'] / hourMs) * hourMs;
}

export function hourOf(timeMs: number): number {
  return Math.floor(timeMs / hourMs) * hourMs;
}
