/**
 * The line of text that every body has, in its two forms. Separators are `␠␠-␠␠` in bodies of 2018, `␠-␠` since 2019.
 *
 *   Status: S - Account: A - Server: N - Account Policy Name: P - Restore Point Id: R - Finished Date/Time: D
 *   N missed a backup expected at T for policy [P] with server policy id [I] and storage region [G]
 *
 * N and P are names that people gave: they may hold separators, brackets, and what looks like a label. The other parts
 * cannot, so they are taken from both ends, and what stands between is split at the label in its middle. Where that label
 * stands there more than once, the split is the one whose server or policy a field beside the text also says; else the
 * first, for servers are called by host names and policies as one likes. So a server is misread only where its own name
 * holds the label, or its beginning, and nothing beside the text says so.
 */
import { instantOf } from '../fields.ts';

/** Parts of the text, or fields beside it, by one set of names. */
export type Parts = Partial<Record<PartName, string>>;
export type PartName =
  | 'status'
  | 'account'
  | 'server'
  | 'policy'
  | 'server_policy_id'
  | 'restore_point_id'
  | 'finished'
  | 'expected'
  | 'region';

/** Undefined where the text has neither form. `known`: what fields beside the text say. */
export function readText(text: string, known: Parts): Parts | undefined {
  return readReport(text, known) ?? readMissed(text, known);
}

const reportHead = /^Status: ([A-Za-z_]+(?: [A-Za-z_]+)?)( {2}- {2}| - )Account: (\S+)\2Server: /;

function readReport(text: string, known: Parts): Parts | undefined {
  const head = reportHead.exec(text);
  if (!head) return undefined;
  const [start, status, separator, account] = head as unknown as [string, string, string, string];
  const end = text.lastIndexOf(`${separator}Restore Point Id: `);
  if (end < start.length) return undefined;
  const tail = /Restore Point Id: (\S+)(?: {2}- {2}| - )Finished Date\/Time: (.{1,64})$/.exec(text.slice(end));
  if (!tail) return undefined;
  const names = text.slice(start.length, end);
  const splits = placesOf(names, `${separator}Account Policy Name: `).map(({ from, to }) => ({
    server: names.slice(0, from),
    policy: names.slice(to),
  }));
  const split = choose(splits, known);
  return split && { status, account, ...split, restore_point_id: tail[1]!, finished: tail[2]! };
}

const policyIdLabel = '] with server policy id [';
const regionLabel = '] and storage region [';

function readMissed(text: string, known: Parts): Parts | undefined {
  const region = text.lastIndexOf(regionLabel);
  const policyId = region === -1 ? -1 : text.lastIndexOf(policyIdLabel, region - 1);
  if (policyId === -1 || !text.endsWith(']')) return undefined;
  const splits = placesOf(text.slice(0, policyId), ' missed a backup expected at ').flatMap(({ from, to }) => {
    const time = /^(\S{1,40}) for policy \[/.exec(text.slice(to, to + 60));
    if (!time || instantOf(time[1]!) === undefined) return [];
    const policy = text.slice(to + time[0].length, policyId);
    return [{ server: text.slice(0, from), policy, expected: time[1]! }];
  });
  const split = choose(splits, known);
  return (
    split && {
      ...split,
      server_policy_id: text.slice(policyId + policyIdLabel.length, region),
      region: text.slice(region + regionLabel.length, -1),
    }
  );
}

/** Where `label` stands in a text, from where to where. */
function placesOf(text: string, label: string): { from: number; to: number }[] {
  const places: { from: number; to: number }[] = [];
  for (let from = text.indexOf(label); from !== -1; from = text.indexOf(label, from + 1)) {
    places.push({ from, to: from + label.length });
  }
  return places;
}

function choose<T extends { server: string; policy: string }>(splits: readonly T[], known: Parts): T | undefined {
  const named = splits.filter(({ server, policy }) => server.trim() !== '' && policy.trim() !== '');
  return (
    named.find(({ server }) => server === known.server) ??
    named.find(({ policy }) => policy === known.policy) ??
    named[0]
  );
}
