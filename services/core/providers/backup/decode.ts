/**
 * Simple Backup's four bodies: Failure, Partial Success, Missing, Success (pages of 20 December 2018 and 7 November 2019).
 *
 * The first edition has a line of text and nothing else, the second has fields beside it; Missing has no status in
 * either, and its text names no account. Where text and fields disagree the fields hold: they were not made for people.
 * Flags: `text_disagrees` (the attribute of that name says in what, `text_…` what the text has), `text_unreadable`,
 * `account_of_endpoint`, `unknown_status`, `time_unreadable`, `wrong_type`.
 */
import type { Delivery } from '../../records/generated.ts';
import { createNotes, Fields, instantOf, remarksOf } from '../fields.ts';
import { parseJsonObject } from '../json.ts';
import { type BackupReport, type Decoded, fact, type RejectReason } from '../provider.ts';
import { type PartName, type Parts, readText } from './text.ts';

const documented = [
  ...['text', 'status', 'account', 'server', 'serverPolicyId', 'accountPolicyName', 'accountPolicyId'],
  ...['restorePointId', 'finishedDate', 'expectedDate'],
];
const serverCharactersMax = 256;
const policyCharactersMax = 1_024;

/** An alias of CenturyLink Cloud. */
export const aliasPattern = /^[A-Za-z0-9]{1,16}$/;

/** By `status`. The pages' prose says Failure where their samples say FAILED. */
const results: ReadonlyMap<string, BackupReport['result']> = new Map([
  ['SUCCESS', 'success'],
  ['PARTIAL_SUCCESS', 'partial_success'],
  ['FAILED', 'failed'],
  ['FAILURE', 'failed'],
]);

export function decodeBackup(delivery: Delivery): Decoded {
  const parsed = parseJsonObject(delivery.body);
  if (!parsed.ok) return parsed;
  const notes = createNotes();
  const fields = new Fields(parsed.object, documented, notes);
  const text = fields.text('text');
  const given = partsOf(fields);
  const accountPolicyId = fields.text('accountPolicyId');
  const said = text === undefined ? undefined : readText(text, given);
  const parts: Parts = { ...said, ...given };
  const problem = findProblem(text, said, parts);
  if (problem) return problem;

  const alias = parts.account ?? aliasOf(delivery.account);
  if (alias === undefined) return rejected('account missing', 'neither account nor text nor the endpoint names one');
  if (!aliasPattern.test(alias)) return rejected('field invalid', 'account is no alias');
  const report = reportOf(given, parts);
  const disagreement = compare(given, said);
  const remarks = remarksOf(notes);
  return fact({
    entity: 'backup',
    action: 'reported',
    account: `backup:${alias.toUpperCase()}`,
    subject: parts.server!,
    location: parts.region ?? '',
    // A missed backup is told an hour and more after it was expected: that is not when it was found missing.
    time: report.finishedAt,
    attributes: {
      ...attributesOf(parts, report, accountPolicyId),
      ...disagreement.attributes,
      ...remarks.attributes,
    },
    unknownFields: remarks.unknownFields,
    backup: report.backup,
    flags: [
      ...(text !== undefined && said === undefined ? ['text_unreadable'] : []),
      ...(parts.account === undefined ? ['account_of_endpoint'] : []),
      ...report.flags,
      ...disagreement.flags,
      ...remarks.flags,
    ],
    data: parsed.text,
  });
}

function rejected(reason: RejectReason, detail: string): Decoded {
  return { ok: false, reason, detail };
}

function partsOf(fields: Fields): Parts {
  return withoutAbsent({
    status: fields.text('status'),
    account: fields.text('account'),
    server: fields.text('server'),
    policy: fields.text('accountPolicyName'),
    server_policy_id: fields.text('serverPolicyId'),
    restore_point_id: fields.text('restorePointId'),
    finished: fields.text('finishedDate'),
    expected: fields.text('expectedDate'),
  });
}

function findProblem(text: string | undefined, said: Parts | undefined, parts: Parts): Decoded | undefined {
  if (parts.status === undefined && parts.expected === undefined) {
    return text === undefined || said !== undefined
      ? rejected('unknown event', 'neither text nor status nor expectedDate says what it is about')
      : rejected('field invalid', 'text has none of the documented forms');
  }
  if (parts.server === undefined) return rejected('subject missing', 'neither server nor text names a server');
  if (parts.server.length > serverCharactersMax) {
    return rejected('field invalid', `server is longer than ${serverCharactersMax} characters`);
  }
  if ((parts.policy ?? '').length > policyCharactersMax) {
    return rejected('field invalid', `accountPolicyName is longer than ${policyCharactersMax} characters`);
  }
  return undefined;
}

/** `backup:TEST` → `TEST`. Undefined where the endpoint has no account. */
function aliasOf(account: string): string | undefined {
  return account.slice(account.indexOf(':') + 1) || undefined;
}

/** What happened. Where fields say whether it ran, the text does not. */
function reportOf(given: Parts, parts: Parts) {
  const missed = (kindOf(given) ?? kindOf(parts)) === 'missed';
  const finishedAt = missed ? undefined : timeOf(parts.finished);
  const expectedAt = missed ? timeOf(parts.expected) : undefined;
  const result = missed ? 'missed' : results.get((parts.status ?? '').toUpperCase().replace(' ', '_'));
  const unreadable = missed ? parts.expected !== undefined && expectedAt === undefined : finishedAt === undefined;
  return {
    finishedAt,
    expectedAt,
    result,
    backup: result && {
      server: parts.server!,
      policy: parts.policy ?? '',
      // Of the two ids the one that belongs to the server: Missing has had it from the first edition on.
      policyId: parts.server_policy_id ?? '',
      result,
      finishedAt,
      expectedAt,
      region: parts.region ?? '',
    },
    flags: [...(result === undefined ? ['unknown_status'] : []), ...(unreadable ? ['time_unreadable'] : [])],
  };
}

/** `2018-12-20 01:39:38 UTC`, or an instant in RFC 3339. */
function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : instantOf(text.replace(/^(\S{10}) (\S{8}) UTC$/, '$1T$2Z'));
}

function attributesOf(parts: Parts, report: ReturnType<typeof reportOf>, accountPolicyId: string | undefined) {
  const isoOf = (time: number | undefined) => (time === undefined ? undefined : new Date(time).toISOString());
  return withoutAbsent({
    result: report.result,
    status: parts.status,
    policy: parts.policy,
    server_policy_id: parts.server_policy_id,
    account_policy_id: accountPolicyId,
    restore_point_id: parts.restore_point_id,
    region: parts.region,
    finished_at: isoOf(report.finishedAt),
    expected_at: isoOf(report.expectedAt),
  });
}

/** In what fields and text differ. */
function compare(given: Parts, said: Parts | undefined) {
  const differing = (Object.keys(given) as PartName[]).filter((name) => {
    const written = said?.[name];
    return written !== undefined && !isSame(given[name]!, written, name);
  });
  const texts = differing.map((name) => [`text_${name}`, said![name]!]);
  const [kind, kindSaid] = [kindOf(given), kindOf(said ?? {})];
  const otherKind = kind !== undefined && kindSaid !== undefined && kind !== kindSaid;
  const names = [...(otherKind ? ['kind'] : []), ...differing];
  if (names.length === 0) return { flags: [], attributes: {} };
  return { flags: ['text_disagrees'], attributes: { text_disagrees: names.join(' '), ...Object.fromEntries(texts) } };
}

/** A backup that ran has a status, one that is missed was expected. */
function kindOf({ status, expected }: Parts): 'ran' | 'missed' | undefined {
  if (status !== undefined) return 'ran';
  return expected === undefined ? undefined : 'missed';
}

function isSame(field: string, written: string, name: PartName): boolean {
  if (name === 'account') return field.toUpperCase() === written.toUpperCase();
  if (name === 'finished' || name === 'expected') return (timeOf(field) ?? field) === (timeOf(written) ?? written);
  return field === written;
}

function withoutAbsent<Name extends string>(values: Record<Name, string | undefined>): Partial<Record<Name, string>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<
    Record<Name, string>
  >;
}
