/** One request to one address of a host, as a provider would send it; whatever its certificate is worth. */
import { once } from 'node:events';
import { type ClientRequest, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

export interface ProbeRequest {
  method: 'GET' | 'HEAD' | 'POST';
  url: string;
  /** Sent once the server asks for it, or has waited for long enough: with `Expect: 100-continue`, as a provider does. */
  body?: string;
  /** Connects here, whatever the host's name resolves to. */
  address?: string | undefined;
  timeoutMs: number;
}

export interface ProbeAnswer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Its beginning. */
  body: string;
}

const bodyBytesMax = 65_536;

/** Rejects where there is no answer in time. */
export async function probe({ method, url, body, address, timeoutMs }: ProbeRequest): Promise<ProbeAnswer> {
  const { protocol } = new URL(url);
  const options = {
    method,
    agent: false as const,
    signal: AbortSignal.timeout(timeoutMs),
    // The certificate is judged by a check of its own.
    rejectUnauthorized: false,
    ...(address && { lookup: lookupOf(address) }),
    headers: body === undefined ? {} : { 'content-type': 'application/json', expect: '100-continue' },
  };
  const request = (protocol === 'https:' ? requestHttps : requestHttp)(url, options);
  if (body === undefined) request.end();
  else {
    request.once('continue', () => request.end(body));
    request.flushHeaders();
  }
  return answerOf(request);
}

async function answerOf(request: ClientRequest): Promise<ProbeAnswer> {
  const [response] = await once(request, 'response');
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > bodyBytesMax) break;
  }
  request.destroy();
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() };
}

function lookupOf(address: string) {
  const family = address.includes(':') ? 6 : 4;
  return (
    _host: string,
    options: { all?: boolean | undefined },
    done: (error: null, addresses: string | { address: string; family: number }[], family?: number) => void,
  ) => (options.all ? done(null, [{ address, family }]) : done(null, address, family));
}

/** Why there was no answer, in a word or two. */
export function reasonOf(error: unknown): string {
  const { name, code, message } = error as NodeJS.ErrnoException;
  return name === 'AbortError' || name === 'TimeoutError' ? 'no answer in time' : (code ?? message);
}
