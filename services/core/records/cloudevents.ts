/**
 * What a record says of itself in the headers of Kafka, for readers that never saw our schemas: CloudEvents 1.0 in the
 * binary content mode of its Kafka binding, and a trace context (W3C Trace Context).
 *
 *   ce_id        id of the row. An amendment has the id of what it amends, so a reader drops what it has seen by
 *                ce_id and ce_version together; the highest version stands
 *   ce_version   an extension: the row's version in decimal, to be compared as a number
 *   ce_type      an event's own type (centurylink.server.created); else hookwatch.<kind>
 *   ce_source    an event's own source; else the lane, so that a delivery is the same one on either topic
 *   ce_time, ce_subject   where there is one
 *   traceparent  a trace per event: its id without the dash has the length of a trace's. What is made of a delivery,
 *                and of an event, follows from its id, so nothing has to be passed on
 */
import { hash } from 'node:crypto';
import type { Output } from '../flow/context.ts';
import { eventId } from '../flow/ids.ts';
import type { Place } from './place.ts';

export type Headers = Readonly<Record<string, string>>;

interface Attributes {
  tenant: string;
  id: string;
  version: number;
  type: string;
  source?: string;
  subject?: string;
  /** Epoch milliseconds. */
  time: number;
  /** Id of the event at the root of it; unset where there is none. */
  event?: string | undefined;
}

/** Headers are read whole by everybody, and some text of a body may be as long as the body: then it is left out. */
const subjectLengthMax = 256;
/** The years that RFC 3339 can write. */
const timeMax = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** The headers of an output of the flow. */
export function headersOfOutput(output: Output): Headers {
  const { tenant, id, version } = output.value;
  return write({ type: `hookwatch.${output.kind}`, tenant, id, version, ...detailsOf(output) });
}

/** The headers of a record on its way from an edge to its lane, before it is worked on. */
export function headersOfPlace({ kind, tenant, id, receivedAt }: Omit<Place, 'boot' | 'seq'>): Headers {
  const event = kind === 'delivery' ? eventId(tenant, id, receivedAt) : undefined;
  return write({ type: `hookwatch.${kind}`, tenant, id, version: 0, time: receivedAt, event });
}

function detailsOf({ kind, value }: Output): Pick<Attributes, 'time' | 'subject' | 'event'> & Partial<Attributes> {
  switch (kind) {
    case 'delivery':
      return {
        time: value.received_at,
        subject: value.endpoint,
        event: eventId(value.tenant, value.id, value.received_at),
      };
    case 'control':
      return { time: value.received_at, subject: value.kind };
    case 'event': {
      const { type, source, subject, time } = value;
      return { type, source, subject, time, event: value.id };
    }
    case 'episode':
      return { time: value.closed_at ?? value.opened_at, subject: value.server, event: value.events[0] };
    case 'pane':
      return { time: value.minute, subject: value.account };
    case 'detection':
      return { time: value.fired_at, subject: value.account, event: value.events[0] };
    case 'change':
      return { time: value.time, subject: value.subject, event: value.event };
    case 'hierarchy':
      return { time: value.valid_to ?? value.valid_from, subject: value.account, event: value.event || undefined };
    case 'loss':
      return { time: value.hour, subject: value.endpoint };
    case 'backup':
      return { time: value.last_report_at, subject: value.server, event: value.events.at(-1) };
    case 'coverage':
      return { time: value.ended_at ?? value.started_at, subject: value.account };
    case 'reconciliation':
      return { time: value.completed_at ?? value.started_at, subject: value.account };
    case 'reject':
      return {
        time: value.received_at,
        subject: value.delivery,
        event: eventId(value.tenant, value.delivery, value.received_at),
      };
  }
}

function write({ tenant, id, version, type, source = '', subject = '', time, event }: Attributes): Headers {
  const headers: Record<string, string> = {
    'content-type': 'application/avro',
    ce_specversion: '1.0',
    ce_id: id,
    ce_type: type,
    ce_source: source || `/lanes/${encodeURIComponent(tenant)}`,
  };
  if (time >= 0 && time <= timeMax) headers.ce_time = new Date(time).toISOString();
  if (subject && subject.length <= subjectLengthMax) headers.ce_subject = withoutForbidden(subject);
  headers.ce_version = String(version);
  headers.traceparent = traceparentOf(event ?? id, id);
  return headers;
}

/** Characters that a CloudEvents string must not hold: controls, noncharacters, halves of pairs. */
function withoutForbidden(text: string): string {
  return text.replace(/[\p{Cc}\p{Noncharacter_Code_Point}\p{Cs}]/gu, '\ufffd');
}

/** Sampled, for a reader that follows its parent's choice would otherwise leave every trace out. */
function traceparentOf(root: string, id: string): string {
  const trace = /^[0-9a-f]{12}-[0-9a-f]{20}$/.test(root) ? root.replace('-', '') : hash('sha256', root).slice(0, 32);
  return `00-${trace}-${hash('sha256', id).slice(0, 16)}-01`;
}
