/** A running Hookwatch as its commands see it: lanes that say how they stand, and an edge that journals controls. */
import type { LaneStatus, LaneSummary } from './core/flow/summary.ts';

export interface Installation {
  /** What the lanes say of themselves, by tenant. Rejects where nobody answers; a lane that nobody works on is left out. */
  lanes(): Promise<Record<string, LaneSummary>>;
  /** The same of each worker, in which lanes may stand still. Rejects where nobody answers. */
  statuses(): Promise<readonly Readonly<Record<string, LaneStatus>>[]>;
  /** Has the edge journal a control; resolves with its id. Whether it takes effect, only its lane can say. */
  submit(control: ControlRequest): Promise<string>;
}

export interface ControlRequest {
  tenant: string;
  kind: 'settings' | 'judgement' | 'gap' | 'takeover';
  /** Asking twice with the same one is one control. */
  idempotency_id: string;
  document: object;
  predecessor?: string;
}

export interface InstallationUrls {
  /** The edge's internal port: http://127.0.0.1:8081. */
  edgeInternalUrl: string;
  /** Whoever serves /lanes: the console of `npm start`, or every worker. */
  lanesUrls: readonly string[];
}

export function createInstallation({ edgeInternalUrl, lanesUrls }: InstallationUrls): Installation {
  async function statuses(): Promise<Record<string, LaneStatus>[]> {
    const answers = await Promise.allSettled(lanesUrls.map(async (url) => (await call(`${url}/lanes`)).json()));
    const reached = answers.filter((answer) => answer.status === 'fulfilled').map(({ value }) => value);
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (reached.length === 0 && failed) throw failed.reason;
    return reached as Record<string, LaneStatus>[];
  }

  return {
    statuses,
    lanes: async () => mergeLanes(await statuses()),
    async submit(control) {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify(control);
      const answer = await call(`${edgeInternalUrl}/control`, { method: 'POST', headers, body });
      return ((await answer.json()) as { id: string }).id;
    },
  };
}

/** A worker that has lost a lane may still hold it: the one that has come further knows better. */
function mergeLanes(answers: readonly Record<string, LaneStatus>[]): Record<string, LaneSummary> {
  const lanes: Record<string, LaneSummary> = {};
  for (const [tenant, lane] of answers.flatMap((answer) => Object.entries(answer))) {
    if (isWorkedOn(lane) && lane.position > (lanes[tenant]?.position ?? Number.NEGATIVE_INFINITY)) lanes[tenant] = lane;
  }
  return lanes;
}

export function isWorkedOn(lane: LaneStatus): lane is LaneSummary & LaneStatus {
  return lane.stopped === '';
}

async function call(url: string, init?: RequestInit): Promise<Response> {
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(5_000) }).catch((error: Error) => {
    throw new Error(`Cannot reach ${url}: is Hookwatch running (npm start)? ${error.message}`, { cause: error });
  });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  return answer;
}
