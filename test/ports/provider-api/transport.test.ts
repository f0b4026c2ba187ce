import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ApiCall, ApiLimits, Attempt } from '../../../services/ports/provider-api/provider-api.ts';
import { createTransport, parseBaseUrl } from '../../../services/ports/provider-api/transport.ts';
import { type Answer, type Asked, type PlannedFault, startStandIn } from '../../provider-api/stand-in.ts';

const limits: Partial<ApiLimits> = { retryMsFirst: 1, retryMsMax: 5, callsPerSecondMax: 10_000 };
const get: ApiCall<unknown> = { method: 'GET', path: ['things', '1'], name: 'GET /things/{id}', parse: (json) => json };
const post: ApiCall<unknown> = { ...get, method: 'POST', name: 'POST /things/{id}', body: { a: 1 } };

async function start(
  fields: Partial<ApiLimits> = {},
  answer: (asked: Asked) => Answer = () => ({ status: 200, json: { ok: true } }),
) {
  const provider = await startStandIn(answer);
  const attempts: Attempt[] = [];
  const transport = createTransport({
    provider: 'Example Cloud',
    baseUrl: `${provider.url}/v2`,
    limits: { ...limits, ...fields },
    onAttempt: (attempt) => attempts.push(attempt),
  });
  onTestFinished(() => transport.close());
  const send = (call: ApiCall<unknown> = get, hidden: string[] = []) => transport.send(call, {}, hidden);
  return { provider, transport, attempts, send };
}

const fails = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it was answered'),
    (error) => error,
  );

describe('what is called', () => {
  test('a call goes behind the base URL, each segment and value encoded', async () => {
    const { provider, send } = await start();
    await send({ ...get, path: ['a/b', 'c d?', '%2e'], query: { targetUri: 'https://x/y?z=1&b' } });
    expect(provider.calls()).toEqual(['GET /v2/a%2Fb/c%20d%3F/%252e?targetUri=https%3A%2F%2Fx%2Fy%3Fz%3D1%26b']);
  });

  test.each(['', '.', '..'])('a segment that would lead upwards is a mistake: "%s"', async (segment) => {
    const { provider, send } = await start();
    await expect(send({ ...get, path: ['servers', segment] })).rejects.toThrow(TypeError);
    expect(provider.asked).toEqual([]);
  });

  test.each([
    'http://api.example.com/v2',
    'http://127.0.0.1.example.com',
    'ftp://localhost',
    'https://user:secret@api.example.com',
    'https://api.example.com/?a=1',
    'https://api.example.com/#a',
    'api.example.com',
  ])('%s is no base URL', (url) => {
    expect(() => parseBaseUrl(url)).toThrow(TypeError);
    expect(() => parseBaseUrl(url)).not.toThrow(/secret/);
  });

  test.each(['https://api.example.com/v2', 'http://localhost:1', 'http://127.3.4.5', 'http://[::1]:81'])(
    '%s is one',
    (url) => expect(parseBaseUrl(url).href).toContain(url),
  );

  test.each([301, 302, 303, 307, 308])('%i leads elsewhere and is not followed', async (status) => {
    const elsewhere = await startStandIn(() => ({ status: 200, json: {} }));
    const { provider, send } = await start();
    provider.fail({ do: 'answer', status, headers: { location: elsewhere.url } });
    expect(await fails(send())).toMatchObject({ code: 'REDIRECTED', status, retryHelps: false });
    expect(elsewhere.asked).toEqual([]);
    expect(provider.asked).toHaveLength(1);
  });
});

describe('what is tried again', () => {
  test.each<PlannedFault>([
    { do: 'answer', status: 500 },
    { do: 'answer', status: 503, headers: { 'retry-after': '0' } },
    { do: 'answer', status: 429 },
    { do: 'answer', status: 200, text: '<html>maintenance</html>' },
    { do: 'reset' },
    { do: 'cut' },
    { do: 'lose' },
  ])('a GET after %j', async (fault) => {
    const { provider, attempts, send } = await start();
    provider.fail({ ...fault, times: 3 });
    expect(await send()).toEqual({ ok: true });
    expect(provider.asked).toHaveLength(4);
    expect(attempts.map(({ outcome }) => outcome === 'ok')).toEqual([false, false, false, true]);
  });

  test.each([400, 401, 403, 404, 409, 422])('not after %i', async (status) => {
    const { provider, send } = await start();
    provider.fail({ do: 'answer', status, text: '{"message":"no"}' });
    expect(await fails(send())).toMatchObject({ status, retryHelps: false, notDone: true });
    expect(provider.asked).toHaveLength(1);
  });

  test('tries end, and the last failure is told', async () => {
    const { provider, send } = await start();
    provider.fail({ do: 'answer', status: 502, times: 100, text: '{"message":"bad gateway"}' });
    const error = await fails(send());
    expect(error).toMatchObject({ code: 'FAILED', status: 502, retryHelps: true, notDone: false });
    expect(error.message).toBe('Example Cloud: GET /things/{id}: it answered 502: bad gateway');
    expect(provider.asked).toHaveLength(4);
  });

  test('a POST that may have been done is not repeated', async () => {
    for (const fault of [{ do: 'lose' }, { do: 'answer', status: 500 }, { do: 'cut' }] as const) {
      const { provider, send } = await start();
      provider.fail(fault);
      expect(await fails(send(post))).toMatchObject({ retryHelps: true, notDone: false });
      expect(provider.asked).toHaveLength(1);
    }
  });

  test('a POST that was certainly not done is, and one that says it may be', async () => {
    const { provider, send } = await start();
    provider.fail({ do: 'answer', status: 429 }, { do: 'lose' });
    await send({ ...post, idempotent: true });
    expect(provider.asked).toHaveLength(3);
  });

  test('a POST to nobody is: it was certainly not done', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, 'close');
    const attempts: Attempt[] = [];
    const onAttempt = (attempt: Attempt) => attempts.push(attempt);
    const transport = createTransport({ provider: 'P', baseUrl: `http://127.0.0.1:${port}`, limits, onAttempt });
    expect(await fails(transport.send(post, {}, []))).toMatchObject({ code: 'UNREACHABLE', notDone: true });
    expect(attempts).toHaveLength(4);
  });

  test('a wait that the provider asks for is kept', async () => {
    const { provider, send } = await start();
    provider.fail({ do: 'answer', status: 503, headers: { 'retry-after': '1' } });
    await send();
    const [first, second] = provider.asked;
    // Timers of Node may fire a millisecond early.
    expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(999);
  });

  test.each([
    ['120', undefined, 120_000],
    ['Wed, 21 Oct 2015 07:30:00 GMT', 'Wed, 21 Oct 2015 07:28:00 GMT', 120_000],
  ])('one that is too long ends the call: %s', async (retryAfter, date, retryAfterMs) => {
    const { provider, send } = await start();
    provider.fail({ do: 'answer', status: 429, headers: { 'retry-after': retryAfter, ...(date && { date }) } });
    expect(await fails(send())).toMatchObject({ code: 'RATE_LIMITED', retryHelps: true, retryAfterMs });
    expect(provider.asked).toHaveLength(1);
  });
});

describe('what is bounded', () => {
  test('a try', async () => {
    const { provider, attempts, send } = await start({ attemptMsMax: 300 });
    provider.fail({ do: 'stall', times: 2 });
    expect(await send()).toEqual({ ok: true });
    const outcomes = attempts.map(({ outcome }) => outcome);
    expect(outcomes.slice(0, 2)).toEqual(['TIMED_OUT', 'TIMED_OUT']);
    expect(outcomes.at(-1)).toBe('ok');
  });

  test('a call with all its tries', async () => {
    const { provider, send } = await start({ callMsMax: 100 });
    provider.fail({ do: 'stall' });
    expect(await fails(send())).toMatchObject({ code: 'TIMED_OUT', retryHelps: true });
  });

  test('an answer, also one that is small only as it comes', async () => {
    const { provider, send } = await start({ answerBytesMax: 1_000 });
    provider.fail({ do: 'flood', bytes: 5_000_000 });
    expect(await fails(send())).toMatchObject({ code: 'ANSWER_TOO_LARGE', retryHelps: false });
    const bomb = gzipSync(Buffer.alloc(5_000_000, 0x20));
    const server = createHttpServer((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => server.close() && server.closeAllConnections());
    const { port } = server.address() as { port: number };
    const transport = createTransport({
      provider: 'P',
      baseUrl: `http://127.0.0.1:${port}`,
      limits: { answerBytesMax: 10_000 },
    });
    expect(bomb.length).toBeLessThan(10_000);
    expect(await fails(transport.send(get, {}, []))).toMatchObject({ code: 'ANSWER_TOO_LARGE' });
  });

  test('the rate, tries included', async () => {
    const { provider, send } = await start({ callsPerSecondMax: 50 });
    provider.fail({ do: 'answer', status: 500, times: 2 });
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: 6 }, () => send()));
    expect(provider.asked).toHaveLength(8);
    // The eighth call is 7 intervals of 20 ms behind the first one, whatever the machine is busy with; timers may be a millisecond early.
    expect(Math.max(...provider.asked.map(({ atMs }) => atMs)) - startedMs).toBeGreaterThanOrEqual(139);
  });

  test('calls to a provider that is down: none is made for a while, then one', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
    const { provider, send } = await start({ failuresInRowMax: 3, openMs: 30_000, attemptsMax: 1 });
    provider.fail({ do: 'answer', status: 500, times: 4 });
    for (let i = 0; i < 3; i++) expect(await fails(send())).toMatchObject({ code: 'FAILED' });
    expect(await fails(send())).toMatchObject({ code: 'CIRCUIT_OPEN', retryHelps: true, notDone: true });
    pass(29_999);
    expect(await fails(send())).toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(provider.asked).toHaveLength(3);
    pass(1);
    expect(await fails(send())).toMatchObject({ code: 'FAILED' });
    expect(await fails(send())).toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(provider.asked).toHaveLength(4);
    pass(30_000);
    expect(await send()).toEqual({ ok: true });
    expect(await send()).toEqual({ ok: true });
  });

  test('what a provider refuses does not make it count as down', async () => {
    const { provider, send } = await start({ failuresInRowMax: 2, attemptsMax: 1 });
    provider.fail({ do: 'answer', status: 404, times: 5 }, { do: 'answer', status: 429, times: 5 });
    for (let i = 0; i < 10; i++) expect((await fails(send())).code).toMatch(/NOT_FOUND|RATE_LIMITED/);
    expect(await send()).toEqual({ ok: true });
  });

  test('closing ends calls under way, also one that waits for its next try', async () => {
    const { provider, transport, send } = await start({ retryMsFirst: 60_000, retryMsMax: 60_000 });
    provider.fail({ do: 'answer', status: 429, on: 'GET /v2/a', headers: { 'retry-after': '50' } }, { do: 'stall' });
    const waiting = fails(send({ ...get, path: ['a'] }));
    const stalled = fails(send({ ...get, path: ['b'] }));
    await expect.poll(() => provider.asked.length, { timeout: 10_000 }).toBe(2);
    transport.close();
    expect(await waiting).toMatchObject({ code: 'CLOSED' });
    expect(await stalled).toMatchObject({ code: 'CLOSED' });
    expect(await fails(send())).toMatchObject({ code: 'CLOSED' });
    expect(provider.asked).toHaveLength(2);
  });
});

describe('what is told', () => {
  test('an answer of another shape', async () => {
    const { send } = await start();
    const parse = () => {
      throw new Error('name: expected a string');
    };
    const error = await fails(send({ ...get, parse }));
    expect(error).toMatchObject({ code: 'ANSWER_INVALID', retryHelps: false });
    expect(error.message).toContain('name: expected a string');
  });

  test('no secret, however the provider repeats it, and nothing that a terminal would act on', async () => {
    const secrets = ['pass"word+/=', 'https://us/in/tok/en?a=b', 'bearer'];
    const told = `${secrets.join(' ')} ${secrets.map(encodeURIComponent).join(' ')} \u001b[2J\u202e\r\n end`;
    const { provider, send } = await start();
    provider.fail({ do: 'answer', status: 400, text: JSON.stringify({ message: told }) });
    const error = await fails(send({ ...post, secrets: [secrets[1]!] }, [secrets[0]!, secrets[2]!]));
    const all = inspect(error, { depth: 9 }) + JSON.stringify(error) + error.message;
    for (const secret of secrets) {
      expect(all).not.toContain(secret);
      expect(all).not.toContain(encodeURIComponent(secret));
    }
    expect(error.message).toBe('Example Cloud: POST /things/{id}: it answered 400: … … … … … …  [2J  end');
  });

  test('a long text is cut', async () => {
    const { provider, send } = await start();
    provider.fail({ do: 'answer', status: 400, text: JSON.stringify({ message: 'x'.repeat(10_000) }) });
    expect((await fails(send())).message.length).toBeLessThan(400);
  });
});
