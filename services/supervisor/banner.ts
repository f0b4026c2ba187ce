/** What `npm start` says once everything works. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { analystPasswordFile } from '../secrets.ts';

/** Where to go and what to try; `troubles` are what is not ready yet. */
export function describeStart(
  config: Config,
  urls: Record<string, string>,
  offset: number,
  troubles: readonly string[],
): string {
  const clickhouse = config.clickhouseUrl ?? urls.clickhouse;
  const analyst = `\n               user analyst, password in ${analystPasswordFile(config.dataFolder)}`;
  const query = 'SELECT+type,count()+FROM+hookwatch.events+GROUP+BY+type';
  const shift = offset === 0 ? '' : ` -- --port-offset ${offset}`;
  // By the address that it listens on, no sender would trust its certificate.
  const simulate = config.edgeTls ? ` -- --url https://<its name>:${new URL(urls.edge!).port}` : shift;
  const notReady = troubles.map((trouble) => `\n  Not ready: ${trouble}`).join('');
  return `
  Live page    ${urls.console}
  Webhooks     ${urls.edge}/in/<token>
  Endpoints    ${config.configFile}
  ClickHouse   ${clickhouse}${config.clickhouseUrl ? '' : analyst}
  Metrics      ${urls.edge}/metrics and at the two above
  Data         ${config.dataFolder}

  Try next, in a second terminal:
    npm run simulate${simulate}
    curl '${clickhouse}/?query=${query}'
${notReady}
  Ctrl-C stops.
`;
}

/** Waits until a part says that it is ready; what it says instead when it has not by the deadline. */
export async function waitUntilReady(url: string, deadlineMs: number, name = 'the pipeline'): Promise<string[]> {
  const endsAt = performance.now() + deadlineMs;
  for (;;) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok) return [];
    const troubles = (await answer?.text().catch(() => undefined))?.trim().split('\n') ?? [`${name} does not answer`];
    if (performance.now() > endsAt) return troubles;
    await wait(100);
  }
}
