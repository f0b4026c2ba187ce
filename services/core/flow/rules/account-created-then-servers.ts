/**
 * Rule: an account is created, and then N distinct servers within T. A fresh signup that provisions in a burst is the
 * pattern of a fraudulent one.
 *
 *   account created        server 1 … server N        server N+1
 *   ──────┬─────────────────────┬───────┬──────────────────┬──────┬────▶
 *         └── window ───────────────────│──────────────────│──────┘
 *                                       fires here         amends: the count and the evidence grow
 *
 * Only creations that count reach this rule, so repeats, replays and updates cannot raise it.
 */
import { envelope, type Occurrence, type StepContext } from '../context.ts';
import { hourMs, minuteMs } from '../durations.ts';
import { planExpiry } from '../expiry.ts';
import { outputId } from '../ids.ts';
import { type Burst, type Creation, count, type FlowState, metaOf } from '../state.ts';

export const rule = 'account-created-then-servers';
const severity = 'high';
/** Evidence beyond this is counted, not listed. */
const evidenceMax = 1000;

/** The account's creation: the window opens. Servers that were heard of before it count too. */
export function accountCreated(context: StepContext, occurrence: Occurrence): void {
  const { state } = context;
  const { account } = occurrence.fact;
  const burst: Burst = {
    accountEvent: occurrence.event,
    firstReceivedAt: occurrence.delivery.received_at,
    startedAt: occurrence.time,
    servers: [],
    events: [],
    count: 0,
    detection: null,
  };
  saveBurst(context, account, burst);
  const earlier = state.creations.sortedEntries(account).flatMap(([server, creations]) => {
    const first = creations.find((creation) => isWithin(context, burst, creation.time));
    return first ? [{ server, creation: first }] : [];
  });
  earlier.sort((a, b) => a.creation.position - b.creation.position);
  for (const { server, creation } of earlier) countServer(context, account, server, creation, occurrence.time);
}

/** The account's deletion: its servers were of that life, and count towards no other. */
export function accountDeleted(context: StepContext, account: string): void {
  const { bursts, creations } = context.state;
  bursts.delete('', account);
  for (const [server] of creations.sortedEntries(account)) creations.delete(account, server);
}

/** A server's creation: counts when it is the server's first one within the window. */
export function serverCreated(context: StepContext, occurrence: Occurrence): void {
  const { state, settings } = context;
  const { account, key } = occurrence.fact;
  const known = state.creations.get(account, key) ?? [];
  const creation: Creation = {
    time: occurrence.time,
    event: occurrence.event,
    receivedAt: occurrence.delivery.received_at,
    position: context.position,
  };
  state.creations.set(account, key, [...known, creation]);
  planExpiry(state, settings, { table: 'creations', group: account, key });

  const burst = state.bursts.get('', account);
  if (!burst || !isWithin(context, burst, creation.time)) return;
  if (known.some((earlier) => isWithin(context, burst, earlier.time))) return;
  countServer(context, account, key, creation, creation.time);
}

/**
 * Account bodies carry no time, so the window starts when we heard of the account: a server's own time may lie before
 * that by as much as the provider was late, though no account has servers before it is created.
 */
function isWithin(context: StepContext, burst: Burst, time: number): boolean {
  const { rules, time: limits } = context.settings;
  return time >= burst.startedAt - limits.past_ms && time <= burst.startedAt + rules[rule].within_ms;
}

/**
 * How many of its detections are open: for as long as a window lasts, from when the lane heard of what made it fire, or
 * until their account is deleted. The events' own times would not do: those that come late would never be open.
 */
export function countOpen(state: FlowState): number {
  const { watermark } = metaOf(state);
  let open = 0;
  for (const { startedAt, detection } of state.bursts.group('').values()) {
    if (detection && watermark < (detection.openUntil ?? startedAt + detection.windowMs)) open++;
  }
  return open;
}

function saveBurst(context: StepContext, account: string, burst: Burst): void {
  context.state.bursts.set('', account, burst);
  planExpiry(context.state, context.settings, { table: 'bursts', group: '', key: account });
}

/** Adds a server to the burst, and fires or amends. `at`: time of the event that is being worked on. */
function countServer(context: StepContext, account: string, server: string, creation: Creation, at: number): void {
  const { state, settings } = context;
  const burst = state.bursts.get('', account)!;
  const listed = burst.servers.length < evidenceMax;
  const grown: Burst = {
    ...burst,
    count: burst.count + 1,
    servers: listed ? [...burst.servers, server] : burst.servers,
    events: listed ? [...burst.events, creation.event] : burst.events,
    firstReceivedAt: Math.min(burst.firstReceivedAt, creation.receivedAt),
  };
  const { servers: threshold, within_ms: windowMs } = settings.rules[rule];
  if (!grown.detection && grown.count < threshold) return saveBurst(context, account, grown);
  const detection = grown.detection
    ? { ...grown.detection, revision: grown.detection.revision + 1 }
    : {
        id: outputId(grown.firstReceivedAt, 'detection', context.tenant, rule, burst.accountEvent),
        firstReceivedAt: grown.firstReceivedAt,
        firedAt: at,
        threshold,
        windowMs,
        revision: 1,
        openUntil: metaOf(state).now + windowMs,
      };
  if (!grown.detection) count(state, 'detections', `${rule}|${severity}`);
  saveBurst(context, account, { ...grown, detection });
  emitDetection(context, account, grown, detection);
}

function emitDetection(
  context: StepContext,
  account: string,
  burst: Burst,
  detection: NonNullable<Burst['detection']>,
): void {
  context.emit('detection', {
    ...envelope(context, detection.id, detection.revision, detection.firstReceivedAt),
    account,
    rule,
    title: `Account ${account} was created, then ${burst.count} servers within ${describe(detection.windowMs)}`,
    severity,
    started_at: burst.startedAt,
    fired_at: detection.firedAt,
    threshold: detection.threshold,
    window_ms: detection.windowMs,
    count: burst.count,
    subjects: burst.servers,
    events: [burst.accountEvent, ...burst.events],
  });
}

function describe(windowMs: number): string {
  if (windowMs % hourMs === 0) return `${windowMs / hourMs} h`;
  return windowMs % minuteMs === 0 ? `${windowMs / minuteMs} min` : `${windowMs / 1000} s`;
}
