import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { alertmanagerConfig } from '../../../services/commands/setup/alertmanager.ts';
import { ConfigError } from '../../../services/config.ts';

const base = readFileSync(new URL('../../../dashboards/alertmanager/alertmanager.yml', import.meta.url), 'utf8');

const mail = { EMAIL_TO: 'ops@example.com', EMAIL_FROM: 'hookwatch@example.com', SMTP_HOST: 'mail.example.com:587' };
const login = { SMTP_USER: 'hookwatch', SMTP_PASSWORD: ' s3cret: #"{}' };
const slack = { SLACK_URL: 'https://hooks.example.com/T0/B0/xyz' };
const webhook = { WEBHOOK_URL: 'http://pager:8000/hook?key=1' };

const make = (variables: Record<string, string | undefined>, from = base) =>
  alertmanagerConfig(
    from,
    Object.fromEntries(Object.entries(variables).map(([name, value]) => [`HOOKWATCH_ALERT_${name}`, value])),
  );
const peopleOf = (text: string) => parse(text).receivers.find(({ name }: { name: string }) => name === 'people');

test('nobody is told unless somebody is named, and the file stays as it is', () => {
  expect(peopleOf(make({}))).toEqual({ name: 'people' });
  expect(parse(make({ EMAIL_TO: '', SLACK_URL: '  ', WEBHOOK_URL: undefined }))).toEqual(parse(base));
});

test.each([
  { what: 'e-mail', variables: mail, kinds: ['email_configs'] },
  { what: 'Slack', variables: slack, kinds: ['slack_configs'] },
  { what: 'a webhook', variables: webhook, kinds: ['webhook_configs'] },
  { what: 'e-mail and a webhook', variables: { ...mail, ...webhook }, kinds: ['email_configs', 'webhook_configs'] },
  {
    what: 'all',
    variables: { ...mail, ...login, ...slack, ...webhook },
    kinds: ['email_configs', 'slack_configs', 'webhook_configs'],
  },
])('$what is switched on by its variables, of what begins and of what ends', ({ variables, kinds }) => {
  const { name: _, ...people } = peopleOf(make(variables));
  expect(Object.keys(people)).toEqual(kinds);
  for (const configs of Object.values(people)) expect(configs).toMatchObject([{ send_resolved: true }]);
});

test('the routes are those of the file, with its remarks', () => {
  const text = make({ ...mail, ...slack, ...webhook });
  expect({ ...parse(text), receivers: undefined }).toEqual({ ...parse(base), receivers: undefined });
  expect(text).toContain('# What follows from another alert is not told besides it.');
});

test('values come through as they are', () => {
  const people = peopleOf(make({ ...mail, ...login, ...slack, SLACK_CHANNEL: '#alerts', ...webhook }));
  expect(people.email_configs).toMatchObject([
    {
      to: 'ops@example.com',
      from: 'hookwatch@example.com',
      smarthost: 'mail.example.com:587',
      auth_username: 'hookwatch',
      auth_password: ' s3cret: #"{}',
      require_tls: true,
    },
  ]);
  expect(people.slack_configs).toMatchObject([{ api_url: slack.SLACK_URL, channel: '#alerts' }]);
  expect(people.webhook_configs).toMatchObject([{ url: webhook.WEBHOOK_URL }]);
});

test.each([
  { tls: undefined, demanded: true },
  { tls: 'required', demanded: true },
  { tls: 'off', demanded: false },
])('TLS $tls: $demanded', ({ tls, demanded }) => {
  expect(peopleOf(make({ ...mail, SMTP_TLS: tls })).email_configs[0].require_tls).toBe(demanded);
  // What it would be is no news where nobody is told by e-mail.
  expect(peopleOf(make({ SMTP_TLS: tls }))).toEqual({ name: 'people' });
});

test('without a login none is sent', () => {
  expect(peopleOf(make(mail)).email_configs[0]).not.toHaveProperty('auth_username');
  expect(peopleOf(make(slack)).slack_configs[0]).not.toHaveProperty('channel');
});

test.each([
  'ops@example.com',
  'ops@example.com, Night shift <night@example.com>',
  'root@localhost',
  '<ops@example.com>',
])('"%s" may be told', (to) => {
  expect(peopleOf(make({ ...mail, EMAIL_TO: to })).email_configs[0].to).toBe(to);
});

test.each<[variables: Record<string, string>, mistakes: string[]]>([
  [{ EMAIL_TO: 'ops@example.com' }, ['EMAIL_FROM is missing', 'SMTP_HOST is missing']],
  [{ ...mail, EMAIL_TO: 'ops' }, ['EMAIL_TO: "ops" is no e-mail address']],
  [{ ...mail, EMAIL_TO: 'a@example.com b@example.com' }, ['EMAIL_TO: "a@example.com b@example.com" is no']],
  [{ ...mail, EMAIL_TO: 'a@example.com,' }, ['EMAIL_TO: "" is no e-mail address']],
  [{ ...mail, EMAIL_FROM: 'hookwatch' }, ['EMAIL_FROM: "hookwatch" is no e-mail address']],
  [{ ...mail, SMTP_HOST: 'mail.example.com' }, ['SMTP_HOST: "mail.example.com" is not host:port']],
  [{ ...mail, SMTP_HOST: 'mail:0' }, ['SMTP_HOST: "mail:0" is not host:port']],
  [{ ...mail, SMTP_HOST: 'mail:65536' }, ['is not host:port']],
  [{ ...mail, SMTP_HOST: 'smtp://mail:25' }, ['is not host:port']],
  [{ ...mail, SMTP_USER: 'hookwatch' }, ['one is set without the other']],
  [{ ...mail, SMTP_PASSWORD: 'x' }, ['one is set without the other']],
  [{ SMTP_HOST: 'mail:25', SMTP_USER: 'x' }, ['SMTP_HOST is set, but', 'SMTP_USER is set, but']],
  [{ ...mail, SMTP_TLS: 'on' }, ['SMTP_TLS: "on" is neither required nor off']],
  [{ SMTP_TLS: 'no' }, ['SMTP_TLS: "no" is neither']],
  [{ ...mail, ...login, SMTP_TLS: 'off' }, ['SMTP_PASSWORD would be sent for everybody to read']],
  [{ SLACK_URL: 'hooks.example.com/x' }, ['SLACK_URL is no URL']],
  [{ WEBHOOK_URL: 'ftp://example.com/' }, ['WEBHOOK_URL is no URL']],
  [{ SLACK_CHANNEL: '#alerts' }, ['SLACK_CHANNEL is set, but']],
  [{ ...slack, SLACK_CHANNEL: '{{ .Status }}' }, ['SLACK_CHANNEL has {{ in it']],
  [
    { EMAIL_TO: 'x', EMAIL_FROM: 'y', SMTP_HOST: 'z', SLACK_URL: 'no' },
    ['EMAIL_TO', 'EMAIL_FROM', 'SMTP_HOST', 'SLACK_URL'],
  ],
])('%j is refused with all that is wrong', (variables, mistakes) => {
  const error = refusal(variables);
  expect(error).toBeInstanceOf(ConfigError);
  const [, ...lines] = error.message.split('\n');
  expect(lines).toHaveLength(mistakes.length);
  for (const [index, mistake] of mistakes.entries()) expect(lines[index]).toContain(mistake);
});

test('a refusal repeats no secret', () => {
  const secret = 'hush-hush';
  const { message } = refusal({ ...mail, SMTP_PASSWORD: secret, SLACK_URL: secret, WEBHOOK_URL: `{{${secret}` });
  expect(message).toContain('SLACK_URL');
  expect(message).not.toContain(secret);
});

test('a file without the receiver that is to be filled is a mistake of ours', () => {
  expect(() => make(slack, base.replaceAll('people', 'nobody'))).toThrow('there is no receiver people');
});

function refusal(variables: Record<string, string>): Error {
  try {
    make(variables);
  } catch (error) {
    return error as Error;
  }
  throw new Error('it was taken');
}
