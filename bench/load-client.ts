import { once } from 'node:events';
import { join } from 'node:path';
import { type Child, startChild } from './child.ts';
import type { LoadOrder, LoadReport } from './load.ts';

/** The load client: load.ts in a process of its own. */
export interface LoadClient extends AsyncDisposable {
  /** Resolves once it has read its requests. */
  readonly ready: Promise<unknown>;
  /** One order at a time; each goes on with the requests where the last one has ended. */
  load(order: LoadOrder): Promise<LoadReport>;
}

/** @param requests file of a JSON list of whole HTTP requests */
export function startLoad(requests: string, core?: number): LoadClient {
  const file = join(import.meta.dirname, 'load.ts');
  const child: Child = startChild([file, requests], { ipc: true, ...(core !== undefined && { core }) });
  return {
    ready: once(child.process, 'message'),
    async load(order) {
      child.process.send(order);
      const [report] = await once(child.process, 'message');
      return report as LoadReport;
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
