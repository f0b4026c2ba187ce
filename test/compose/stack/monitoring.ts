/** What Prometheus and Alertmanager of a running stack know and say. */
import type { Stack } from './stack.ts';

export interface Target {
  /** Of the compose file. */
  service: string;
  /** up, down or unknown. */
  health: string;
  lastError: string;
}

export interface Alert {
  /** firing or resolved. */
  status: string;
  labels: Record<string, string>;
}

const prometheusUrl = 'http://127.0.0.1:9090';

/** What Prometheus reads, by the service that it is. */
export async function activeTargets({ host, containers }: Stack): Promise<Target[]> {
  const { body } = await host.request(`${prometheusUrl}/api/v1/targets?state=active`);
  const { data } = JSON.parse(body) as { data: { activeTargets: (Omit<Target, 'service'> & { scrapeUrl: string })[] } };
  // A name that is asked for all its addresses leads to targets by address.
  const services = new Map(
    [...containers].flatMap(([name, all]) =>
      all.flatMap(({ plan }) => plan.attachments.map(({ address }) => [address, name] as const)),
    ),
  );
  return data.activeTargets.map(({ scrapeUrl, health, lastError }) => {
    const { hostname } = new URL(scrapeUrl);
    const service = hostname === 'localhost' ? 'prometheus' : (services.get(hostname) ?? hostname);
    return { service, health, lastError };
  });
}

/** @throws where Prometheus does not understand the expression */
export async function queryPrometheus(
  { host }: Stack,
  expression: string,
): Promise<{ value: [atSeconds: number, text: string] }[]> {
  const { status, body } = await host.request(`${prometheusUrl}/api/v1/query?query=${encodeURIComponent(expression)}`);
  if (status !== 200) throw new Error(`Prometheus answers ${status} to ${expression}: ${body}`);
  return JSON.parse(body).data.result;
}

/** What Alertmanager has sent to a path of the world outside, in order. */
export function alertsSentTo({ host }: Stack, path: string): Alert[] {
  const sent = host.received.filter((request) => request.path === path);
  return sent.flatMap(({ body }) => (JSON.parse(body) as { alerts: Alert[] }).alerts);
}
