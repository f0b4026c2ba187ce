/** Calls to one base URL: bounded in rate, time, size and tries. Knows nothing of credentials but to hide them. */
import { setTimeout as wait } from 'node:timers/promises';
import { createPolicy } from './policy.ts';
import {
  type ApiCall,
  type ApiLimits,
  type Attempt,
  defaultLimits,
  ProviderApiError,
  type ProviderApiErrorCode,
} from './provider-api.ts';
import { clean } from './redaction.ts';

export interface TransportOptions {
  /** What people call the provider: `CenturyLink Cloud`. */
  provider: string;
  /** https, or http on loopback. Its path stays in front of every call's. */
  baseUrl: string;
  limits?: Partial<ApiLimits> | undefined;
  onAttempt?: ((attempt: Attempt) => void) | undefined;
}

export interface Transport {
  /** `hidden` are texts that no error may repeat. @throws ProviderApiError */
  send<Answer>(call: ApiCall<Answer>, headers: Record<string, string>, hidden: readonly string[]): Promise<Answer>;
  close(): void;
}

interface Sent {
  call: ApiCall<unknown>;
  url: URL;
  init: RequestInit;
  fail: Fail;
}

type Fail = (code: ProviderApiErrorCode, text: string, more?: FailMore) => ProviderApiError;
type FailMore = { retryHelps?: boolean; notDone?: boolean; status?: number; retryAfterMs?: number | undefined };

/** @throws TypeError where the base URL is none that may be called */
export function createTransport(options: TransportOptions): Transport {
  const { provider, onAttempt = () => {} } = options;
  const limits: ApiLimits = { ...defaultLimits, ...options.limits };
  const base = parseBaseUrl(options.baseUrl);
  const policy = createPolicy(limits);
  const pace = createPace(limits.callsPerSecondMax);
  const closing = new AbortController();

  async function attempt(sent: Sent, signal: AbortSignal): Promise<unknown> {
    await pace(signal);
    const startedMs = performance.now();
    let outcome: Attempt['outcome'] = 'ok';
    try {
      return await exchange(sent, limits, signal);
    } catch (error) {
      outcome = (error as ProviderApiError).code;
      throw error;
    } finally {
      onAttempt({ name: sent.call.name, outcome, durationMs: performance.now() - startedMs });
    }
  }

  return {
    async send<Answer>(call: ApiCall<Answer>, headers: Record<string, string>, hidden: readonly string[]) {
      const secrets = [...hidden, ...(call.secrets ?? [])];
      const fail: Fail = (code, text, more = {}) => {
        const message = `${provider}: ${call.name}: ${clean(text, secrets)}`;
        return new ProviderApiError({ code, message, ...more, retryHelps: more.retryHelps ?? false });
      };
      const sent = { call, url: urlOf(base, call), init: initOf(call, headers), fail };
      const deadline = new AbortController();
      // Of all timers of a call only this one keeps the process: whoever closes need not wait for a next try.
      const timer = setTimeout(() => deadline.abort(), limits.callMsMax);
      const signal = AbortSignal.any([closing.signal, deadline.signal]);
      const ended = rejectOnAbort(signal, () =>
        closing.signal.aborted
          ? fail('CLOSED', 'it was given up: the API is closed')
          : fail('TIMED_OUT', `no answer within ${limits.callMsMax} ms, all tries together`, { retryHelps: true }),
      );
      try {
        const tries = policy.execute(call, (inner) => attempt(sent, inner), signal, fail);
        return (await Promise.race([tries, ended.promise])) as Answer;
      } finally {
        clearTimeout(timer);
        ended.dispose();
      }
    },
    close: () => closing.abort(),
  };
}

/** Whoever listens for http elsewhere than on this machine is sent passwords that anybody on the way can read. */
export function parseBaseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const loopback = url && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (!url || !(url.protocol === 'https:' || (url.protocol === 'http:' && loopback))) {
    throw new TypeError('the base URL of a provider must be https://…, or http:// on loopback');
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new TypeError('the base URL of a provider must be without user, query and fragment');
  }
  return url;
}

function urlOf(base: URL, { path, query = {} }: ApiCall<unknown>): URL {
  for (const segment of path) {
    // The URL parser takes them for steps upwards, encoded or not.
    if (/^\.{0,2}$/.test(segment)) throw new TypeError(`Cannot call a path with the segment '${segment}'`);
  }
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/$/, '')}/${path.map(encodeURIComponent).join('/')}`;
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}

function initOf({ method, body }: ApiCall<unknown>, headers: Record<string, string>): RequestInit {
  const common = { accept: 'application/json', 'user-agent': 'hookwatch', ...headers };
  if (body === undefined) return { method, redirect: 'manual', headers: common };
  const text = JSON.stringify(body);
  return { method, redirect: 'manual', headers: { ...common, 'content-type': 'application/json' }, body: text };
}

/** One request and its answer. */
async function exchange({ call, url, init, fail }: Sent, limits: ApiLimits, signal: AbortSignal): Promise<unknown> {
  const timeout = AbortSignal.timeout(limits.attemptMsMax);
  const lost = (error: unknown) => {
    if (error instanceof ProviderApiError) return error;
    if (signal.aborted) return fail('CLOSED', 'it was given up');
    if (timeout.aborted) return fail('TIMED_OUT', `no answer within ${limits.attemptMsMax} ms`, { retryHelps: true });
    const { code = '', message } = rootOf(error);
    const notDone = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH)$/.test(code);
    // A certificate that does not hold today does not hold in a minute either.
    const certificate = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code);
    return fail('UNREACHABLE', `no answer: ${code || message}`, { retryHelps: !certificate, notDone });
  };
  try {
    const answer = await fetch(url, { ...init, signal: AbortSignal.any([signal, timeout]) });
    const raw = await readBounded(answer, limits.answerBytesMax, fail);
    if (!answer.ok) throw failureOf(answer, raw, fail);
    return parseAnswer(call, answer.status, raw, fail);
  } catch (error) {
    throw lost(error);
  }
}

function rootOf(error: unknown): { code?: string; message: string } {
  let found = error as Error & { code?: string };
  while (found.cause instanceof Error) found = found.cause;
  return found;
}

async function readBounded(answer: Response, bytesMax: number, fail: Fail): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.byteLength;
    // Leaving the loop cancels the rest.
    if (bytes > bytesMax) throw fail('ANSWER_TOO_LARGE', `the answer has more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function failureOf(answer: Response, raw: Buffer, fail: Fail): ProviderApiError {
  const { status } = answer;
  const told = messageIn(raw);
  const text = `it answered ${status}${told ? `: ${told}` : ''}`;
  if (status >= 300 && status < 400) return fail('REDIRECTED', `${text}, which leads elsewhere`, { status });
  if (status === 401) return fail('CREDENTIALS_REFUSED', text, { status, notDone: true });
  if (status === 403) return fail('FORBIDDEN', text, { status, notDone: true });
  if (status === 404) return fail('NOT_FOUND', text, { status, notDone: true });
  const retryAfterMs = parseRetryAfter(answer.headers.get('retry-after'), answer.headers.get('date'));
  if (status === 429) return fail('RATE_LIMITED', text, { status, retryHelps: true, notDone: true, retryAfterMs });
  if (status < 500) return fail('REFUSED', text, { status, notDone: true });
  return fail('FAILED', text, { status, retryHelps: true, retryAfterMs });
}

/** What the provider says of an error, under the names that the three providers use. */
function messageIn(raw: Buffer): string {
  try {
    const document: unknown = JSON.parse(raw.toString());
    const { message, detail, title, errorMessage } = Object(document) as Record<string, unknown>;
    return [message, detail, title, errorMessage].find((text) => typeof text === 'string') ?? '';
  } catch {
    return '';
  }
}

/** Seconds, or a date (RFC 9110, 10.2.3); a date is held against the provider's own clock. */
function parseRetryAfter(text: string | null, date: string | null): number | undefined {
  if (text === null) return undefined;
  if (/^\d+$/.test(text.trim())) return Number(text) * 1_000;
  const atMs = Date.parse(text);
  const nowMs = Date.parse(date ?? '') || Date.now();
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

function parseAnswer(call: ApiCall<unknown>, status: number, raw: Buffer, fail: Fail): unknown {
  let json: unknown;
  try {
    json = raw.length === 0 ? undefined : JSON.parse(raw.toString());
  } catch {
    // As of a proxy in between that answers by itself.
    throw fail('ANSWER_INVALID', `it answered ${status}, and not in JSON`, { status, retryHelps: true });
  }
  try {
    return call.parse(json, raw);
  } catch (error) {
    throw fail('ANSWER_INVALID', `its answer is not as documented: ${(error as Error).message}`, { status });
  }
}

/** Lets calls go at most so many times a second, in the order in which they came. */
function createPace(perSecondMax: number): (signal: AbortSignal) => Promise<void> {
  let freeAtMs = 0;
  return async (signal) => {
    const nowMs = performance.now();
    const startMs = Math.max(nowMs, freeAtMs);
    freeAtMs = startMs + 1_000 / perSecondMax;
    if (startMs > nowMs) await wait(startMs - nowMs, undefined, { signal, ref: false });
  };
}

function rejectOnAbort(signal: AbortSignal, errorOf: () => Error): { promise: Promise<never>; dispose(): void } {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  const onAbort = () => reject(errorOf());
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort);
  return { promise, dispose: () => signal.removeEventListener('abort', onAbort) };
}
