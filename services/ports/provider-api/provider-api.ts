/**
 * The HTTP API of a provider, as commands and the reconciliation call it.
 *
 * 1. Nothing but the configured base URL is ever called: a call names path segments, never a URL, and an answer that
 *    leads elsewhere is an error. So no address from a payload can be called, by no mistake of a caller.
 * 2. A call ends: with its answer, or with a ProviderApiError after a bounded time and bounded tries. Only what was not
 *    done, or does no harm twice, is tried again.
 * 3. Credentials go into the headers and bodies of requests and nowhere else: not into errors, not into logs.
 */

export interface ProviderApi {
  /** @throws ProviderApiError */
  call<Answer>(call: ApiCall<Answer>): Promise<Answer>;
  /** Ends the calls under way with the code CLOSED, and lets none begin. */
  close(): void;
}

export interface ApiCall<Answer> {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Segments behind the base URL, as they are: each is encoded. */
  path: readonly string[];
  query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  body?: object;
  /** What errors and counts call it, without anybody's names: `GET /servers/{alias}/{id}`. */
  name: string;
  /** Doing it twice is doing it once. Default: all but POST. */
  idempotent?: boolean;
  /** Texts of this call that no error may repeat, such as a URL with a token in it. */
  secrets?: readonly string[];
  /** Makes the answer of its JSON; undefined where the answer has no body. Throws where it has another shape. */
  parse(json: unknown, raw: Buffer): Answer;
}

export type ProviderApiErrorCode =
  /** No connection, or it broke before the answer was complete. */
  | 'UNREACHABLE'
  | 'TIMED_OUT'
  /** The answer leads to another address. */
  | 'REDIRECTED'
  | 'CREDENTIALS_REFUSED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  /** Any other 4xx. */
  | 'REFUSED'
  | 'RATE_LIMITED'
  /** 5xx. */
  | 'FAILED'
  | 'ANSWER_TOO_LARGE'
  | 'ANSWER_INVALID'
  /** Too many calls failed one after the other: for a while none is made. */
  | 'CIRCUIT_OPEN'
  | 'CLOSED';

export interface ProviderApiFailure {
  code: ProviderApiErrorCode;
  message: string;
  /** The call may do better later. */
  retryHelps: boolean;
  /** The provider has certainly not done what it was asked for. */
  notDone?: boolean;
  /** HTTP status of the answer. */
  status?: number | undefined;
  /** When the provider asks to be called again, in milliseconds from its answer. */
  retryAfterMs?: number | undefined;
}

/** A call that came to nothing. Its message bears no credential and no secret of the call. */
export class ProviderApiError extends Error {
  readonly code: ProviderApiErrorCode;
  readonly retryHelps: boolean;
  readonly notDone: boolean;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(failure: ProviderApiFailure) {
    super(failure.message);
    this.name = 'ProviderApiError';
    this.code = failure.code;
    this.retryHelps = failure.retryHelps;
    this.notDone = failure.notDone ?? false;
    this.status = failure.status;
    this.retryAfterMs = failure.retryAfterMs;
  }
}

/** What bounds the calls of one API. */
export interface ApiLimits {
  /** One try, from its first byte to the last one of its answer. */
  attemptMsMax: number;
  /** A call with all its tries and waits. */
  callMsMax: number;
  attemptsMax: number;
  /** The wait before the second try is about this long; it grows from try to try, at random, up to `retryMsMax`. */
  retryMsFirst: number;
  retryMsMax: number;
  /** A provider that asks for a longer wait (Retry-After) is not called again by the same call. */
  retryAfterMsMax: number;
  callsPerSecondMax: number;
  /** Of an answer, as it is after decompression. */
  answerBytesMax: number;
  /** So many failed tries in a row and no call is made for `openMs`; then one is. */
  failuresInRowMax: number;
  openMs: number;
}

export const defaultLimits: ApiLimits = {
  attemptMsMax: 30_000,
  callMsMax: 180_000,
  attemptsMax: 4,
  retryMsFirst: 500,
  retryMsMax: 15_000,
  retryAfterMsMax: 60_000,
  callsPerSecondMax: 5,
  answerBytesMax: 32 * 1024 * 1024,
  failuresInRowMax: 8,
  openMs: 30_000,
};

/** One try of a call, for counts and logs: no account, no address, no secret. */
export interface Attempt {
  name: string;
  /** `ok`, or the code of its error. */
  outcome: 'ok' | ProviderApiErrorCode;
  durationMs: number;
}
