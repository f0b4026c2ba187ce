/** Whether every edge listens to what the files say now. */
import { setTimeout as wait } from 'node:timers/promises';

/** An edge that was asked. */
export interface EdgeReport {
  url: string;
  /** It listens to what the files say now. */
  ready: boolean;
  /** Why not; empty where it does. */
  problem: string;
  /** What it says of itself besides. */
  remarks: string[];
}

const answerMsMax = 2_000;
const pauseMs = 100;

/** Asks all edges at once; `hash`: what each has to say. Never rejects. */
export function askEdges(urls: readonly string[], hash: string): Promise<EdgeReport[]> {
  return Promise.all(urls.map((url) => askEdge(url, hash)));
}

/** Asks until all are ready or the time is over. `hashOf` is asked anew: somebody else may change endpoints meanwhile. */
export async function waitForEdges(
  urls: readonly string[],
  hashOf: () => string,
  timeoutMs: number,
): Promise<EdgeReport[]> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const reports = await askEdges(urls, hashOf());
    if (reports.every(({ ready }) => ready) || performance.now() >= deadline) return reports;
    await wait(pauseMs);
  }
}

async function askEdge(url: string, hash: string): Promise<EdgeReport> {
  const report = { url, ready: false, problem: '', remarks: [] as string[] };
  try {
    const signal = AbortSignal.timeout(answerMsMax);
    const answer = await fetch(new URL('/readyz', url), { redirect: 'error', signal });
    const said = (await answer.json()) as { endpoints?: unknown; remarks?: unknown };
    if (Array.isArray(said.remarks)) report.remarks = said.remarks.map(String);
    if (said.endpoints === hash) return { ...report, ready: true };
    return {
      ...report,
      problem: typeof said.endpoints === 'string' ? 'it has others' : 'it does not say which it has',
    };
  } catch (error) {
    const { message, cause } = error as Error;
    return { ...report, problem: `it does not answer: ${cause instanceof Error ? cause.message : message}` };
  }
}
