/**
 * All that a lane's flow knows. Every value here is JSON, bounded by expiry, and part of the snapshot.
 *
 * Groups and keys: entities by account and by their recognised spelling (`key` of a Fact); panes by account and minute.
 */

import type { Alarm } from './alarms.ts';
import type { BackupState } from './backups.ts';
import type { CoverageState } from './coverage.ts';
import { dayMs, minuteMs } from './durations.ts';
import type { Holes } from './holes.ts';
import type { LossState, Parentage, SnapshotState, TwinGroup, Waiting } from './identity-state.ts';
import type { LostProducer } from './lost-producers.ts';
import type { Span } from './outages.ts';
import type { ComparisonState, RecoveredState } from './reconciliations.ts';
import type { RhythmState } from './rhythms.ts';
import { createTables, type Table, type Tables } from './tables.ts';

/** The lane as a whole. */
export interface Meta {
  /** Position of the last record worked on; -1 before the first. */
  position: number;
  /** Id of that record. */
  recordId: string;
  epoch: number;
  /** Hash of the flow that works on the lane; empty where any may. */
  flow: string;
  /** Highest received_at so far, epoch milliseconds. */
  now: number;
  /** Never goes back, epoch milliseconds. */
  watermark: number;
  /** Minute up to which rolling values have been carried on. */
  rolledMinute: number;
}

export interface Settings {
  id: string;
  roots: string[];
  endpoints: { name: string; provider: string; event: string; account: string; recursive: boolean }[];
  rules: { 'account-created-then-servers': { servers: number; within_ms: number } };
  /** How far a body's own time may be from received_at to count. */
  time: { past_ms: number; future_ms: number };
  /** How far the watermark stays behind the slowest producer. */
  slack_ms: number;
  /** How late a record may be and still amend what was said. */
  lateness_ms: number;
  /** Accounts that are the tenant's besides its roots and what is below them, as provider:account. */
  accounts: string[];
  /** Copies of an event at endpoints of different accounts come within that time of the first. */
  twin_ms: number;
  /** How long the bodies of deliveries are remembered, so that a replay is recognised. */
  replay_ms: number;
  /** Deliveries that may wait for their account to become known, or be kept after they were refused for it. */
  pending_max: number;
}

/** What settings say that were made before there was such a setting. */
export const settingsDefaults = {
  accounts: [] as string[],
  twin_ms: 10 * minuteMs,
  replay_ms: 7 * dayMs,
  pending_max: 10_000,
};

/** One boot of one edge. */
export interface Producer {
  edge: string;
  /** Everything up to it was worked on. */
  lastSeq: number;
  /** Highest seq that was seen, also beyond a gap. */
  seenSeq: number;
  /** Time that the producer has reached, at the latest when it was closed; epoch milliseconds. */
  progress: number;
  live: boolean;
  /** Closed by its successor, or retired: it holds the watermark no longer. */
  closed: boolean;
  /** The edge's boot before this one; absent until its boot record was worked on, and in old snapshots. */
  predecessor?: string;
  /** received_at of its boot record, likewise. */
  openedAt?: number;
  /** Numbers up to seenSeq that were not worked on; absent unless the producer is retired. */
  holes?: Holes;
}

/** The latest snapshot of an account, user or server. */
export interface EntityState {
  subject: string;
  /** Body of the newest snapshot. */
  data: string;
  /** When the provider last changed it, epoch milliseconds; null where bodies do not say. */
  modifiedAt: number | null;
  /** When the entity was created by its own word, epoch milliseconds; null where no body said so. */
  createdAt: number | null;
  /** Its creation was counted. */
  created: boolean;
  deleted: boolean;
  firstReceivedAt: number;
  lastReceivedAt: number;
}

/** One creation of a server that counts. */
export interface Creation {
  /** Epoch milliseconds. */
  time: number;
  event: string;
  receivedAt: number;
  position: number;
}

export interface PaneState {
  /** Distinct servers created in the minute. */
  servers: string[];
  revision: number;
  /** What was emitted last; null before the first emission. */
  emitted: { value: number; rolling: number } | null;
}

export interface EpisodeState {
  id: string;
  firstReceivedAt: number;
  revision: number;
  server: string;
  metric: string;
  openedAt: number;
  /** openedAt is when we heard of it: the alert did not say when it began. */
  openingHeard: boolean;
  closedAt: number | null;
  endedBy: '' | 'alert' | 'next_opening' | 'deletion' | 'expiry';
  policyDuration: string;
  /** The first hundred. */
  events: string[];
  flags: string[];
}

export function isOpen({ closedAt }: EpisodeState): boolean {
  return closedAt === null;
}

/** A new account and the servers created in it while the window of the rule is open. */
export interface Burst {
  accountEvent: string;
  /** received_at of the first delivery behind it. */
  firstReceivedAt: number;
  /** When the account was created, epoch milliseconds. */
  startedAt: number;
  /** Distinct servers in the order in which they counted, and their events; the first thousand. */
  servers: string[];
  events: string[];
  count: number;
  detection: {
    id: string;
    firedAt: number;
    firstReceivedAt: number;
    threshold: number;
    windowMs: number;
    revision: number;
    /** Watermark at which it is not open any more, epoch milliseconds; absent in old snapshots. */
    openUntil?: number;
  } | null;
}

export interface FlowState {
  tables: Tables;
  meta: Table<Meta>;
  settings: Table<Settings>;
  producers: Table<Producer>;
  /** Idempotency ids of controls. */
  requests: Table<number>;
  accounts: Table<EntityState>;
  users: Table<EntityState>;
  servers: Table<EntityState>;
  /** Account → server → its creations, oldest first to arrive. */
  creations: Table<Creation[]>;
  /** Account → minute. */
  panes: Table<PaneState>;
  /** Account → minutes whose row must be made anew at the next tick. */
  dirtyPanes: Table<true>;
  /** Accounts whose rolling value is above zero → minute of their last creation. */
  rolling: Table<number>;
  /** Account → server and metric → its episodes of the last days, by openedAt. */
  episodes: Table<EpisodeState[]>;
  /** Metric → openedAt → how many episodes that began then are open. */
  openings: Table<{ openedAt: number; open: number }>;
  /** Minute in which time changes an episode that is open → where it is. */
  deadlines: Table<{ at: number; account: string; server: string; key: string }>;
  /** Account → server → keys of its episodes. */
  alerted: Table<string[]>;
  /** Account → server, or '' for the account itself → when it was deleted, in ascending order. */
  deletions: Table<number[]>;
  bursts: Table<Burst>;
  /** Account → what is above it. */
  parents: Table<Parentage>;
  /** Account → position, in 16 digits → what waits for the account to be known as the tenant's. */
  pending: Table<Waiting>;
  /** Hour in which it is refused or forgotten → position → account. */
  pendingEnds: Table<string>;
  /** Account of which something must become known → accounts of which something waits for that. */
  awaits: Table<true>;
  /** Identity of a body → event. */
  twins: Table<TwinGroup>;
  /** Minute of their first delivery → event → identity. */
  twinMinutes: Table<string>;
  /** The same of those that are still to be judged. */
  unjudged: Table<string>;
  /** Account → entity and its key → its last snapshots, the newest last. */
  snapshots: Table<SnapshotState[]>;
  /** Day → identity of a body → received_at of the last delivery with it on that day. */
  bodies: Table<number>;
  /** Hour → endpoints. */
  losses: Table<LossState>;
  /** Those whose row must be made anew at the next tick. */
  dirtyLosses: Table<true>;
  /** Account → server and policy, as JSON. */
  backups: Table<BackupState>;
  /** Hour in which somebody has to look again → at what. */
  alarms: Table<Alarm>;
  /** When the next of them is due, at the earliest. */
  alarmClock: Table<number>;
  /** When the lane was heard. */
  heard: Table<readonly Span[]>;
  /** Boot → its newest tick. */
  lastTicks: Table<number>;
  /** Boots that were lost, or are behind. */
  lostProducers: Table<LostProducer>;
  /** By account. */
  coverage: Table<CoverageState>;
  /** Accounts whose rows must be made anew at the next tick. */
  dirtyCoverage: Table<true>;
  /** By endpoint. */
  rhythms: Table<RhythmState>;
  /** Run of a reconciliation → account, or '' for all of it. */
  comparisons: Table<ComparisonState>;
  /** By event. */
  recovered: Table<RecoveredState>;
  /** Hour in which they end → what ends. */
  expiries: Table<Expiry>;
  /** Counts by what they count; only the exported ledgers read them. */
  counts: Table<number>;
}

/** An entry of a table that ends when its time has come, unless it was renewed. */
export interface Expiry {
  table:
    | 'requests'
    | 'producers'
    | 'accounts'
    | 'users'
    | 'servers'
    | 'creations'
    | 'panes'
    | 'episodes'
    | 'deletions'
    | 'bursts'
    | 'parents'
    | 'snapshots'
    | 'losses'
    | 'rhythms'
    | 'comparisons'
    | 'recovered';
  group: string;
  key: string;
}

export function createState(): FlowState {
  const tables = createTables();
  return {
    tables,
    meta: tables.table('meta', start),
    settings: tables.table('settings', settingsDefaults as Settings),
    producers: tables.table('producers'),
    requests: tables.table('requests'),
    accounts: tables.table('accounts'),
    users: tables.table('users'),
    servers: tables.table('servers'),
    creations: tables.table('creations'),
    panes: tables.table('panes'),
    dirtyPanes: tables.table('dirtyPanes'),
    rolling: tables.table('rolling'),
    episodes: tables.table('episodes'),
    openings: tables.table('openings'),
    deadlines: tables.table('deadlines'),
    alerted: tables.table('alerted'),
    deletions: tables.table('deletions'),
    bursts: tables.table('bursts'),
    parents: tables.table('parents'),
    pending: tables.table('pending'),
    pendingEnds: tables.table('pendingEnds'),
    awaits: tables.table('awaits'),
    twins: tables.table('twins'),
    twinMinutes: tables.table('twinMinutes'),
    unjudged: tables.table('unjudged'),
    snapshots: tables.table('snapshots'),
    bodies: tables.table('bodies'),
    losses: tables.table('losses'),
    dirtyLosses: tables.table('dirtyLosses'),
    backups: tables.table('backups'),
    alarms: tables.table('alarms'),
    alarmClock: tables.table('alarmClock'),
    heard: tables.table('heard'),
    lastTicks: tables.table('lastTicks'),
    lostProducers: tables.table('lostProducers'),
    coverage: tables.table('coverage'),
    dirtyCoverage: tables.table('dirtyCoverage'),
    rhythms: tables.table('rhythms'),
    comparisons: tables.table('comparisons'),
    recovered: tables.table('recovered'),
    expiries: tables.table('expiries'),
    counts: tables.table('counts'),
  };
}

/** A state from a snapshot's chunks. */
export function restoreState(chunks: Iterable<Uint8Array>): FlowState {
  const state = createState();
  state.tables.restore(chunks);
  return state;
}

const start: Meta = { position: -1, recordId: '', epoch: 1, flow: '', now: 0, watermark: 0, rolledMinute: -1 };

export function metaOf(state: FlowState): Meta {
  return state.meta.get('', '') ?? start;
}

/** Counts up; `group` is what is counted, `key` its labels joined by '|'. */
export function count(state: FlowState, group: string, key: string, by = 1): void {
  state.counts.set(group, key, (state.counts.get(group, key) ?? 0) + by);
}
