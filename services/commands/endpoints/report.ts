/** What a change has come to, for people. */
import type { Outcome } from '../apply/settings.ts';
import type { EdgeReport } from './edges.ts';
import type { Action } from './usage.ts';

export interface ChangeReport {
  action: Action;
  tenant: string;
  name: string;
  /** Shown this once. */
  token?: string;
  /** Where it was written in place of being shown. */
  tokenFile?: string;
  /** Until when tokens before it are taken at the latest. */
  beforeEndsAt?: string | undefined;
  /** Every edge and the lane have it, or nobody was to wait for that. */
  done: boolean;
  waited: boolean;
  edges?: EdgeReport[];
  lane?: Outcome;
}

const verbs: Readonly<Record<Action, string>> = {
  list: 'is listed',
  add: 'is added',
  rotate: 'is rotated',
  disable: 'is disabled',
  enable: 'is enabled again',
};

export function describeChange(report: ChangeReport, publicUrl = 'https://<your host>'): string {
  const { action, tenant, name, token, tokenFile, beforeEndsAt, waited, edges = [], lane } = report;
  const ends = beforeEndsAt === undefined ? '' : ` What was taken before ends at ${beforeEndsAt} by the edges' clocks.`;
  const lines = [`${tenant}/${name} ${verbs[action]}.${ends}`];
  if (token) lines.push('', `  ${publicUrl.replace(/\/$/, '')}/in/${token}`, '', 'Nobody can show this token again.');
  if (tokenFile) lines.push(`Its token is in ${tokenFile}, and nowhere else.`);
  lines.push(...edges.map(describeEdge));
  if (lane) lines.push('failure' in lane ? `lane ${tenant}: failed: ${lane.failure}` : `lane ${tenant}: ${lane.done}`);
  if (!waited) {
    lines.push(
      'Edges read it when they start, or within a second where they run. `hookwatch apply` tells the lanes of it.',
    );
  }
  if (!report.done) lines.push(remedy(report));
  return `${lines.join('\n')}\n`;
}

export function describeEdge({ url, ready, problem, remarks }: EdgeReport): string {
  const said = remarks.map((remark) => `; ${remark}`).join('');
  return `edge ${url}: ${ready ? 'ready' : `not ready: ${problem}`}${said}`;
}

function remedy({ tenant, edges = [], lane }: ChangeReport): string {
  const waiting = edges.some(({ ready }) => !ready);
  const untold = lane && 'failure' in lane;
  return [
    'It is written down.',
    ...(waiting
      ? [
          'An edge that is not ready takes it up when it can; one that has read another hookwatch.yaml does so on SIGHUP.',
          '`hookwatch endpoints list` says when all are ready.',
        ]
      : []),
    ...(untold ? [`\`hookwatch apply --tenant ${tenant}\` tells its lane.`] : []),
  ].join(' ');
}
