/** What Alertmanager makes of the shipped configuration: whom it tells, what, and what it keeps to itself. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { alertmanagerConfig } from '../../../services/commands/setup/alertmanager.ts';
import { programPath } from '../../compose/tools.ts';
import { createAuthority } from '../../edge/certificates.ts';
import { type Rule, rules } from '../prometheus/rule-files.ts';
import { type Alert, base, startAlertmanager, temporaryFolder } from './alertmanager.ts';
import { startHook, startMailServer } from './receivers.ts';

const mail = {
  HOOKWATCH_ALERT_EMAIL_TO: 'ops@example.com, Night shift <night@example.com>',
  HOOKWATCH_ALERT_EMAIL_FROM: 'Hookwatch <hookwatch@example.com>',
  HOOKWATCH_ALERT_SMTP_HOST: 'mail.example.com:587',
};
const login = { HOOKWATCH_ALERT_SMTP_USER: 'hookwatch', HOOKWATCH_ALERT_SMTP_PASSWORD: `p: "a'#{s}%` };
const slack = { HOOKWATCH_ALERT_SLACK_URL: 'https://hooks.example.com/T0', HOOKWATCH_ALERT_SLACK_CHANNEL: '#alerts' };
const webhook = { HOOKWATCH_ALERT_WEBHOOK_URL: 'http://pager:8000/hook?key=1' };

/** As Prometheus would send it. */
function alertOf(name: string, labels: Record<string, string>): Alert {
  const rule = rules.find(({ alert }) => alert === name) as Rule;
  const fill = (text: string) => text.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label) => labels[label]!);
  const annotations = Object.entries(rule.annotations!).map(([key, text]) => [key, fill(text)]);
  return {
    labels: { alertname: name, ...rule.labels, ...labels },
    annotations: Object.fromEntries(annotations),
  };
}

describe('amtool takes what is made', () => {
  const parts = { mail, login, plain: { HOOKWATCH_ALERT_SMTP_TLS: 'off' }, slack, webhook };
  const names = Object.keys(parts) as (keyof typeof parts)[];
  const combinations = [...Array(2 ** names.length).keys()]
    .map((bits) => names.filter((_, index) => bits & (2 ** index)))
    .filter((chosen) => !chosen.includes('login') || (chosen.includes('mail') && !chosen.includes('plain')))
    .map((chosen) => ({ of: chosen.join(', ') || 'nobody', chosen }));

  function check(config: string) {
    const file = join(temporaryFolder(), 'alertmanager.yml');
    writeFileSync(file, config);
    const { status, stderr, stdout } = spawnSync(programPath('amtool'), ['check-config', file], { encoding: 'utf8' });
    return { status, says: stdout + stderr };
  }

  test.each(combinations)('for $of', ({ chosen }) => {
    const { status, says } = check(alertmanagerConfig(base, Object.assign({}, ...chosen.map((name) => parts[name]))));
    expect({ status, says }).toEqual({ status: 0, says: expect.stringContaining('1 receivers') });
  });

  test('and not what has a mistake', () => {
    const config = alertmanagerConfig(base, webhook).replace('equal: [ instance ]', 'equals: [ instance ]');
    expect(check(config)).toMatchObject({ status: 1, says: expect.stringContaining('equals') });
  });
});

test('each receiver is told when an alert begins and when it ends', async () => {
  const authority = createAuthority();
  const [pager, chat, post] = await Promise.all([startHook(), startHook(), startMailServer(authority.issue())]);
  const config = alertmanagerConfig(base, {
    ...mail,
    ...login,
    HOOKWATCH_ALERT_SMTP_HOST: post.host,
    HOOKWATCH_ALERT_SLACK_URL: `${chat.url}/services/T0`,
    HOOKWATCH_ALERT_SLACK_CHANNEL: '#alerts',
    HOOKWATCH_ALERT_WEBHOOK_URL: `${pager.url}/hook?key=1`,
  });
  const { tell, log } = await startAlertmanager(config, authority.cert);
  const alert = alertOf('HighSeverityDetectionOpen', { tenant: 'acme', rule: 'burst', found: '4' });
  const { summary, runbook_url: runbook } = alert.annotations!;
  const patience = { timeout: 60_000, interval: 100 };

  for (const [round, status] of (['firing', 'resolved'] as const).entries()) {
    await tell(status === 'firing' ? alert : { ...alert, endsAt: new Date().toISOString() });
    await expect.poll(() => [pager, chat].map(({ taken }) => taken.length), patience).toEqual([round + 1, round + 1]);
    // A mail for each of the two.
    await expect.poll(() => post.mails.length, { ...patience, message: log.join('\n') }).toBe(round + 1);

    expect(pager.taken[round]).toMatchObject({ path: '/hook?key=1', body: { status, alerts: [{ ...alert, status }] } });
    const subject = `[${status === 'firing' ? 'critical' : 'resolved'}] ${summary}`;
    const ends = status === 'firing' ? 'Firing since' : 'Resolved at';
    expect(chat.taken[round]).toMatchObject({
      path: '/services/T0',
      body: { channel: '#alerts', attachments: [{ title: subject, fallback: subject }] },
    });
    const { text } = (chat.taken[round]!.body as { attachments: { text: string }[] }).attachments[0]!;
    const letter = post.mails[round]!;
    expect(letter).toMatchObject({
      encrypted: true,
      user: login.HOOKWATCH_ALERT_SMTP_USER,
      password: login.HOOKWATCH_ALERT_SMTP_PASSWORD,
      from: expect.stringContaining('<hookwatch@example.com>'),
      to: ['<ops@example.com>', '<night@example.com>'],
      headers: { Subject: subject },
    });
    for (const said of [text, letter.text]) {
      expect(said).toContain(summary);
      expect(said).toContain(`What to do: ${runbook}`);
      expect(said).toMatch(new RegExp(`${ends} \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC`));
    }
  }
});

test.each([
  { tls: 'off', told: 1 },
  { tls: 'required', told: 0 },
])('a mail server without TLS is given mail where that is meant: $tls', async ({ tls, told }) => {
  const [post, pager] = await Promise.all([startMailServer(), startHook()]);
  const { tell, log } = await startAlertmanager(
    alertmanagerConfig(base, {
      ...mail,
      HOOKWATCH_ALERT_SMTP_HOST: post.host,
      HOOKWATCH_ALERT_SMTP_TLS: tls,
      HOOKWATCH_ALERT_WEBHOOK_URL: pager.url,
    }),
  );
  await tell(alertOf('HighSeverityDetectionOpen', { tenant: 'acme', rule: 'burst', found: '1' }));
  await expect.poll(() => pager.taken.length, { timeout: 60_000 }).toBe(1);
  const refused = () => log.some((line) => line.includes('STARTTLS'));
  await expect.poll(() => post.mails.length > 0 || refused(), { timeout: 60_000 }).toBe(true);
  expect(post.mails).toHaveLength(told);
  for (const letter of post.mails) expect(letter).toMatchObject({ encrypted: false, user: '' });
});

test('who is told of nothing sees alerts all the same', async () => {
  const { tell, alerts } = await startAlertmanager(alertmanagerConfig(base, {}));
  await tell(alertOf('TargetDown', { job: 'caddy', instance: 'caddy:9180' }));
  await expect.poll(alerts).toMatchObject([{ labels: { alertname: 'TargetDown' }, receivers: [{ name: 'people' }] }]);
});

test('findings are told each by themselves, alerts on the pipeline by name and tenant', async () => {
  const { tell, groups } = await startAlertmanager(base);
  const detection = (tenant: string, rule: string, found: string) =>
    alertOf('HighSeverityDetectionOpen', { tenant, rule, found });
  await tell(
    ...[detection('acme', 'burst', '4'), detection('acme', 'burst', '5'), detection('acme', 'theft', '1')],
    detection('bolt', 'burst', '1'),
    ...['edge-1:8080', 'edge-2:8080'].map((instance) => alertOf('EdgeDown', { instance, job: 'edge' })),
    ...['acme', 'bolt'].map((tenant) => alertOf('LaneNotWorking', { tenant })),
  );
  const sizes = async () =>
    (await groups()).map(({ labels, alerts }) => `${Object.values(labels).join(' ')}: ${alerts.length}`).sort();
  await expect
    .poll(sizes)
    .toEqual([
      'EdgeDown: 2',
      'HighSeverityDetectionOpen burst acme: 2',
      'HighSeverityDetectionOpen burst bolt: 1',
      'HighSeverityDetectionOpen theft acme: 1',
      'LaneNotWorking acme: 1',
      'LaneNotWorking bolt: 1',
    ]);
});

describe('an alert that follows from another one is kept back', () => {
  const edge = (instance: string) => ({ instance, job: 'edge' });
  const lane = (tenant: string) => ({ tenant });
  const cases: [source: Alert, kept: Alert, told: Alert][] = [
    [
      alertOf('EdgeDown', edge('edge-1:8080')),
      alertOf('EdgeAnswering503', edge('edge-1:8080')),
      alertOf('EdgeAnswering503', edge('edge-2:8080')),
    ],
    [
      alertOf('EdgeNotReady', edge('edge-1:8080')),
      alertOf('EdgeSlow', edge('edge-1:8080')),
      alertOf('EdgeJournalFilling', edge('edge-1:8080')),
    ],
    [
      alertOf('EdgeNotReady', edge('edge-1:8080')),
      alertOf('EdgeNotForwarding', edge('edge-1:8080')),
      alertOf('EdgeNotForwarding', edge('edge-2:8080')),
    ],
    [
      alertOf('LaneNotWorking', lane('acme')),
      alertOf('LaneTimeStandsStill', lane('acme')),
      alertOf('LaneTimeStandsStill', lane('bolt')),
    ],
    [
      alertOf('LaneWithoutWorker', lane('acme')),
      alertOf('LaneTimeStandsStill', lane('acme')),
      alertOf('LaneLedgerNotBalanced', lane('acme')),
    ],
    [
      alertOf('NoLaneWorkedOn', {}),
      alertOf('LaneWithoutWorker', lane('acme')),
      alertOf('LaneNotWorking', lane('acme')),
    ],
    [
      alertOf('SinkBlocked', { instance: 'sink:8083' }),
      alertOf('SinkLagging', { source: '3' }),
      alertOf('LaneLagging', { partition: '3' }),
    ],
  ];
  const nameOf = ({ labels }: Alert) => labels.alertname!;

  test.each(cases.map(([source, kept, told]) => ({ from: nameOf(source), what: nameOf(kept), source, kept, told })))(
    '$what from $from',
    async ({ source, kept, told }) => {
      const { tell, alerts } = await startAlertmanager(base);
      await tell(source, kept, told);
      const keyOf = ({ labels }: Alert) => JSON.stringify(Object.entries(labels).sort());
      const states = async () => {
        const known = new Map((await alerts()).map((alert) => [keyOf(alert), alert.status.state]));
        return [source, kept, told].map((alert) => known.get(keyOf(alert)));
      };
      await expect.poll(states, { timeout: 30_000 }).toEqual(['active', 'suppressed', 'active']);
    },
  );
});
