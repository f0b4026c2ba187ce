import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Provider } from '../core/providers/provider.ts';
import type { JournalRefusal } from './journal.ts';

/** Why a request to /in/ left no delivery on disk. These are the `reason` labels of the ledger. */
export type RefusalReason =
  | JournalRefusal
  | 'method_not_allowed'
  | 'unknown_endpoint'
  | 'not_started'
  | 'overloaded'
  | 'content_encoding'
  | 'media_type'
  | 'body_too_large'
  | 'rejected_over_quota'
  | 'timeout'
  | 'aborted';

/** The reasons that every provider is answered alike; a sender that timed out or went away cannot be. */
export type AnsweredReason = Exclude<RefusalReason, 'rejected_over_quota' | 'timeout' | 'aborted'>;

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: readonly string[];
}

const retry = ['Retry-After', '1'];

/** JSON answers, rendered once. */
export const refusals: Readonly<Record<AnsweredReason, Answer>> = {
  method_not_allowed: refusal(405, 'method not allowed', 'Send a POST.', ['Allow', 'POST']),
  unknown_endpoint: refusal(
    404,
    'unknown endpoint',
    'The URL must end with the token of an endpoint in hookwatch.yaml.',
  ),
  not_started: refusal(503, 'not ready', 'The edge is starting.', retry),
  overloaded: refusal(503, 'too many bodies are being read', 'Send it again in a second.', retry),
  commit_slow: refusal(503, 'journal commit is slow', 'Send it again in a second.', retry),
  journal_failed: refusal(503, 'journal append failed', 'Send it again in a second.', retry),
  journal_full: refusal(503, 'journal is full', 'Send it again later.', retry),
  content_encoding: refusal(415, 'content encoding not supported', 'Send the body as it is, without compression.'),
  media_type: refusal(415, 'media type not supported', 'Send application/json.'),
  body_too_large: refusal(413, 'body too large', 'A body may have up to 262144 bytes.'),
};

/** 401: what the provider signs or presents does not hold. */
export function rejection({ challenge, hint }: Provider, error: string): Answer {
  return refusal(401, error, hint, challenge === '' ? [] : ['WWW-Authenticate', challenge]);
}

function refusal(status: number, error: string, hint: string, headers: readonly string[] = []): Answer {
  return rendered(status, JSON.stringify({ error, hint }), headers);
}

/** 202: the delivery is on disk. */
export function acceptance(id: string): Answer {
  return rendered(202, `{"id":"${id}"}`, []);
}

function rendered(status: number, text: string, headers: readonly string[]): Answer {
  return {
    status,
    text,
    headers: ['Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(text)), ...headers],
  };
}

/** Writes an answer to a request whose body has been read. */
export function writeAnswer(outgoing: ServerResponse, { status, text, headers }: Answer): void {
  outgoing.writeHead(status, headers as string[]);
  outgoing.end(text);
}

/**
 * Writes an answer to a request whose body has not been read, or not to its end. A short body is read on, and the
 * connection serves the next request. Otherwise the connection closes, but not at once: a socket that is closed while
 * bytes are still coming in is reset, and its sender never sees the answer.
 */
export function writeEarlyAnswer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  answer: Answer,
  limits: { bodyBytesMax: number; lingerMs: number },
): void {
  const { 'content-length': length, 'transfer-encoding': coding, expect } = incoming.headers;
  const short = coding === undefined && Number(length ?? 0) <= limits.bodyBytesMax;
  incoming.resume();
  if (short && expect === undefined) {
    writeAnswer(outgoing, answer);
    return;
  }
  outgoing.shouldKeepAlive = false;
  outgoing.writeHead(answer.status, answer.headers as string[]);
  if (incoming.method === 'HEAD') {
    outgoing.end();
    return;
  }
  outgoing.write(answer.text);
  const close = () => {
    clearTimeout(timer);
    outgoing.end();
  };
  const timer = setTimeout(close, limits.lingerMs);
  incoming.once('end', close);
  incoming.once('close', close);
}
