/**
 * One request to /in/: looked at, read, verified, journaled, answered. Its body is never parsed.
 *
 * Node's own request and response are used throughout: wrappers around them cost as much as the journal does.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { SignatureVerdict } from '../core/providers/provider.ts';
import { encode } from '../core/records/codec.ts';
import { type AnsweredReason, acceptance, refusals, rejection, writeAnswer, writeEarlyAnswer } from './answers.ts';
import type { EdgeClock } from './clock.ts';
import type { Endpoint, FindEndpoint } from './endpoints.ts';
import type { Journal } from './journal.ts';
import type { Ledger } from './ledger.ts';
import type { EdgeLimits } from './limits.ts';
import type { Readiness } from './readiness.ts';
import type { Ticker } from './ticker.ts';

/** Takes a request to /in/<token>, or to the URL of a sample listener, and answers it. */
export type Intake = (token: string, incoming: IncomingMessage, outgoing: ServerResponse, sample?: string) => void;

export interface IntakeOptions {
  findEndpoint: FindEndpoint;
  readiness: Readiness;
  journal: Journal;
  clock: EdgeClock;
  ledger: Ledger;
  ticker: Ticker;
  limits: EdgeLimits;
  /** True once the server has given up on a socket because it was too slow. */
  timedOut: (incoming: IncomingMessage) => boolean;
}

/** Headers of every request that are kept as evidence. Never one that holds a secret of ours or of the sender's. */
const commonEvidence = [
  'content-type',
  'content-length',
  'user-agent',
  'expect',
  'x-forwarded-for',
  // A balancer that sends a request once more gives it the same one.
  'x-request-id',
] as const;
/** About what a frame has beyond its headers and body. */
const frameBytes = 256;
/** Stands where a header carried a secret that was not known. */
const withheld = '(withheld)';
const jsonMediaType = /^application\/json$|^[^/\s]+\/[^/\s]+\+json$/;

export function createIntake(options: IntakeOptions): Intake {
  const { findEndpoint, readiness, journal, clock, ledger, ticker, limits, timedOut } = options;
  let readingBytes = 0;

  function refuse(outgoing: ServerResponse, reason: AnsweredReason, startedMs: number): void {
    writeAnswer(outgoing, refusals[reason]);
    ledger.refused(reason, clock.monotonicMs() - startedMs);
  }

  function refuseEarly(incoming: IncomingMessage, outgoing: ServerResponse, reason: AnsweredReason, startedMs: number) {
    writeEarlyAnswer(incoming, outgoing, refusals[reason], limits);
    ledger.refused(reason, clock.monotonicMs() - startedMs);
  }

  function readBody(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    startedMs: number,
    done: (body: Buffer) => void,
  ): void {
    let chunks: Buffer[] | undefined = [];
    let bytes = 0;
    const stop = () => {
      readingBytes -= bytes;
      chunks = undefined;
    };
    incoming.on('data', (chunk: Buffer) => {
      if (!chunks) return;
      bytes += chunk.length;
      readingBytes += chunk.length;
      chunks.push(chunk);
      if (bytes <= limits.bodyBytesMax && readingBytes <= limits.readingBytesMax) return;
      const reason = bytes > limits.bodyBytesMax ? 'body_too_large' : 'overloaded';
      stop();
      refuseEarly(incoming, outgoing, reason, startedMs);
    });
    incoming.on('end', () => {
      if (!chunks) return;
      const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      stop();
      done(body);
    });
    incoming.on('close', () => {
      if (!chunks) return;
      stop();
      ledger.refused(timedOut(incoming) ? 'timeout' : 'aborted', clock.monotonicMs() - startedMs);
    });
  }

  function verify(endpoint: Endpoint, headers: IncomingHttpHeaders, body: Buffer): SignatureVerdict {
    const startedMs = clock.monotonicMs();
    let verdict: SignatureVerdict;
    try {
      verdict = endpoint.provider.verify({ body, headers, nowMs: clock.stamp() }, endpoint.keys);
    } catch {
      // A fault of ours: the delivery is kept, as a reject that says so, and the others are not held up.
      verdict = { verdict: 'rejected', reason: 'internal' };
    }
    ledger.verified(clock.monotonicMs() - startedMs);
    return verdict;
  }

  function write(
    endpoint: Endpoint,
    headers: Record<string, string>,
    body: Buffer,
    verdict: SignatureVerdict,
    outgoing: ServerResponse,
    startedMs: number,
  ): void {
    const flags = clock.suspect() ? ['clock_suspect'] : [];
    journal.submit({
      lane: endpoint.tenant,
      bytes: body.length + charactersOf(headers) + frameBytes,
      encode: ({ boot, seq, id }, receivedAt) =>
        encode('delivery', {
          tenant: endpoint.tenant,
          boot,
          seq,
          position: -1,
          id,
          received_at: receivedAt,
          endpoint: endpoint.name,
          provider: endpoint.provider.name,
          event_name: endpoint.event,
          account: endpoint.account,
          origin: 'webhook',
          verdict: verdict.verdict,
          verdict_reason: verdict.verdict === 'rejected' ? verdict.reason : '',
          key_id: 'keyId' in verdict ? verdict.keyId : '',
          headers,
          body,
          flags,
          version: 0,
          withdrawn: false,
        }),
      committed({ id }, late) {
        if (late) {
          ledger.journaledAfterRefusal();
          return;
        }
        const answer = verdict.verdict === 'rejected' ? rejection(endpoint.provider, verdict.reason) : acceptance(id);
        writeAnswer(outgoing, answer);
        ledger.journaled(endpoint, verdict.verdict, clock.monotonicMs() - startedMs);
      },
      refused: (reason) => refuse(outgoing, reason, startedMs),
    });
    ticker.used(endpoint.tenant);
  }

  return (token, incoming, outgoing, sample) => {
    const startedMs = clock.monotonicMs();
    ledger.entered();
    const endpoint = incoming.method === 'POST' ? findEndpoint(token, sample) : undefined;
    const { headers } = incoming;
    const reason = endpoint
      ? (readiness.refusal() ?? refusalOfHead(headers, limits.bodyBytesMax))
      : incoming.method === 'POST'
        ? 'unknown_endpoint'
        : 'method_not_allowed';
    if (!endpoint || reason) {
      refuseEarly(incoming, outgoing, reason!, startedMs);
      return;
    }
    if (headers.expect?.toLowerCase() === '100-continue') outgoing.writeContinue();
    readBody(incoming, outgoing, startedMs, (body) => {
      const verdict = verify(endpoint, headers, body);
      if (verdict.verdict === 'rejected' && !endpoint.rejectedQuota.take()) {
        writeAnswer(outgoing, rejection(endpoint.provider, 'not verified'));
        ledger.refused('rejected_over_quota', clock.monotonicMs() - startedMs);
        return;
      }
      write(
        endpoint,
        keptHeaders(endpoint, headers, verdict, limits.headerCharactersMax),
        body,
        verdict,
        outgoing,
        startedMs,
      );
    });
  };
}

/** A media type is looked at only where there is one: to lose a delivery is worse than to keep one that is no JSON. */
function refusalOfHead(headers: IncomingHttpHeaders, bodyBytesMax: number): AnsweredReason | undefined {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return 'content_encoding';
  const type = headers['content-type'];
  if (type !== undefined && !isJson(type)) return 'media_type';
  return Number(headers['content-length'] ?? 0) > bodyBytesMax ? 'body_too_large' : undefined;
}

function isJson(contentType: string): boolean {
  if (contentType.startsWith('application/json')) {
    const next = contentType.charAt('application/json'.length);
    if (next === '' || next === ';') return true;
  }
  return jsonMediaType.test(contentType.split(';', 1)[0]!.trim().toLowerCase());
}

/** The evidence. Of a header that carries a shared secret only the id of the key that it proved is kept. */
function keptHeaders(
  { provider }: Endpoint,
  headers: IncomingHttpHeaders,
  verdict: SignatureVerdict,
  charactersMax: number,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of commonEvidence) keep(kept, name, headers[name], charactersMax);
  for (const name of provider.evidence) keep(kept, name, headers[name], charactersMax);
  for (const name of provider.secretHeaders) {
    // A wrong secret may be the right one of yesterday, or of somewhere else.
    if (headers[name] !== undefined) kept[name] = 'keyId' in verdict ? verdict.keyId : withheld;
  }
  return kept;
}

function keep(kept: Record<string, string>, name: string, value: string | string[] | undefined, charactersMax: number) {
  if (typeof value === 'string') kept[name] = value.length > charactersMax ? value.slice(0, charactersMax) : value;
}

function charactersOf(headers: Readonly<Record<string, string>>): number {
  let characters = 0;
  for (const name in headers) characters += name.length + headers[name]!.length;
  return characters;
}
