/**
 * How Alertmanager reaches people: receivers that the environment switches on, added to the routes of
 * dashboards/alertmanager/alertmanager.yml. The file that results holds secrets.
 */
import { isMap, parseDocument } from 'yaml';
import { z } from 'zod';
import { ConfigError } from '../../config.ts';

type Variables = Readonly<Record<string, string | undefined>>;

const receiverName = 'people';

// What a notification says. Alertmanager's data for templates: https://prometheus.io/docs/alerting/latest/notifications/
const subject =
  '[{{ if eq .Status "firing" }}{{ .CommonLabels.severity }}{{ else }}resolved{{ end }}] ' +
  '{{ if .CommonAnnotations.summary }}{{ .CommonAnnotations.summary }}' +
  '{{ else }}{{ .GroupLabels.alertname }} ({{ len .Alerts }}){{ end }}';
const format = '"2006-01-02 15:04:05"';
const since =
  `{{ if eq .Status "firing" }}Firing since {{ .StartsAt.UTC.Format ${format} }}` +
  `{{ else }}Resolved at {{ .EndsAt.UTC.Format ${format} }}{{ end }} UTC`;
const details = `{{ .Annotations.description }}
What to do: {{ .Annotations.runbook_url }}
${since}`;
const mail = `{{ range .Alerts }}{{ .Annotations.summary }}
${details}

{{ end }}Alertmanager: {{ .ExternalURL }}
`;
const slack = `{{ range .Alerts }}*{{ .Annotations.summary }}*
${details}
{{ end }}`;

/**
 * Text of alertmanager.yml: `base` with a receiver for each of e-mail, Slack and webhook that is switched on.
 *
 * @param base text of dashboards/alertmanager/alertmanager.yml
 * @param variables HOOKWATCH_ALERT_*; an empty one is none
 * @throws ConfigError with every mistake
 */
export function alertmanagerConfig(base: string, variables: Variables): string {
  const of = (name: string) => {
    const value = variables[`HOOKWATCH_ALERT_${name}`] ?? '';
    return value.trim() === '' ? '' : value;
  };
  const mistakes = findMistakes(of);
  if (mistakes.length > 0) {
    throw new ConfigError(`Cannot tell anybody of alerts:\n${mistakes.map((mistake) => `  ${mistake}`).join('\n')}`);
  }
  const document = parseDocument(base);
  const receivers = document.toJS().receivers as { name: string }[];
  const people = document.getIn(['receivers', receivers.findIndex(({ name }) => name === receiverName)]);
  if (!isMap(people)) throw new Error(`Cannot add receivers: there is no receiver ${receiverName} in the file`);
  const add = (kind: string, config: object) => people.set(kind, document.createNode([config]));
  if (of('EMAIL_TO')) add('email_configs', emailOf(of));
  if (of('SLACK_URL')) add('slack_configs', slackOf(of));
  if (of('WEBHOOK_URL')) add('webhook_configs', { url: of('WEBHOOK_URL'), send_resolved: true });
  return document.toString({ lineWidth: 0 });
}

type Lookup = (name: string) => string;

/** TLS: STARTTLS, or from the start on port 465. What is told is not for everybody on the way, so to do without is a choice. */
function emailOf(of: Lookup): object {
  return {
    to: of('EMAIL_TO'),
    from: of('EMAIL_FROM'),
    smarthost: of('SMTP_HOST'),
    ...(of('SMTP_USER') && { auth_username: of('SMTP_USER'), auth_password: of('SMTP_PASSWORD') }),
    require_tls: of('SMTP_TLS') !== 'off',
    headers: { Subject: subject },
    html: '',
    text: mail,
    send_resolved: true,
  };
}

/** Mattermost and Rocket.Chat take what Slack takes. */
function slackOf(of: Lookup): object {
  return {
    api_url: of('SLACK_URL'),
    ...(of('SLACK_CHANNEL') && { channel: of('SLACK_CHANNEL') }),
    title: subject,
    title_link: '{{ .ExternalURL }}',
    text: slack,
    fallback: subject,
    footer: '',
    send_resolved: true,
  };
}

const webUrl = z.url({ protocol: /^https?$/ });
const hostAndPort = /^(?:[^\s:/@[\]]+|\[[\da-fA-F:]+\]):(\d{1,5})$/;

/** Without secrets: passwords and the URLs of hooks are not repeated. */
function findMistakes(of: Lookup): string[] {
  return [...findMailMistakes(of), ...findHookMistakes(of), ...findTemplates(of)];
}

function findMailMistakes(of: Lookup): string[] {
  const mistakes: string[] = [];
  if (!['', 'required', 'off'].includes(of('SMTP_TLS'))) {
    mistakes.push(`HOOKWATCH_ALERT_SMTP_TLS: "${of('SMTP_TLS')}" is neither required nor off`);
  }
  const others = ['EMAIL_FROM', 'SMTP_HOST', 'SMTP_USER', 'SMTP_PASSWORD'].filter((name) => of(name));
  if (!of('EMAIL_TO')) {
    const lonely = others.map((name) => `HOOKWATCH_ALERT_${name} is set, but HOOKWATCH_ALERT_EMAIL_TO is not`);
    return [...mistakes, ...lonely];
  }
  for (const to of of('EMAIL_TO').split(',')) {
    if (!isAddress(to.trim())) mistakes.push(`HOOKWATCH_ALERT_EMAIL_TO: "${to.trim()}" is no e-mail address`);
  }
  if (!of('EMAIL_FROM')) mistakes.push('HOOKWATCH_ALERT_EMAIL_FROM is missing: whom e-mail is from');
  else if (!isAddress(of('EMAIL_FROM'))) {
    mistakes.push(`HOOKWATCH_ALERT_EMAIL_FROM: "${of('EMAIL_FROM')}" is no e-mail address`);
  }
  if (!of('SMTP_HOST')) mistakes.push('HOOKWATCH_ALERT_SMTP_HOST is missing: the mail server as host:port');
  else if (!isHostAndPort(of('SMTP_HOST'))) {
    mistakes.push(`HOOKWATCH_ALERT_SMTP_HOST: "${of('SMTP_HOST')}" is not host:port`);
  }
  if (Boolean(of('SMTP_USER')) !== Boolean(of('SMTP_PASSWORD'))) {
    mistakes.push('HOOKWATCH_ALERT_SMTP_USER and HOOKWATCH_ALERT_SMTP_PASSWORD: one is set without the other');
  }
  if (of('SMTP_TLS') === 'off' && of('SMTP_PASSWORD')) {
    mistakes.push('HOOKWATCH_ALERT_SMTP_TLS is off: HOOKWATCH_ALERT_SMTP_PASSWORD would be sent for everybody to read');
  }
  return mistakes;
}

function findHookMistakes(of: Lookup): string[] {
  const mistakes = ['SLACK_URL', 'WEBHOOK_URL']
    .filter((name) => of(name) && !webUrl.safeParse(of(name)).success)
    .map((name) => `HOOKWATCH_ALERT_${name} is no URL that begins with https:// or http://`);
  if (of('SLACK_CHANNEL') && !of('SLACK_URL')) {
    mistakes.push('HOOKWATCH_ALERT_SLACK_CHANNEL is set, but HOOKWATCH_ALERT_SLACK_URL is not');
  }
  return mistakes;
}

/** Alertmanager would take it for a template of its own. */
function findTemplates(of: Lookup): string[] {
  return ['EMAIL_TO', 'EMAIL_FROM', 'SLACK_URL', 'SLACK_CHANNEL', 'WEBHOOK_URL']
    .filter((name) => of(name).includes('{{'))
    .map((name) => `HOOKWATCH_ALERT_${name} has {{ in it`);
}

/** `ops@example.com` or `Operations <ops@example.com>`; a mail server of one's own may have a name without a dot. */
function isAddress(text: string): boolean {
  return /^(?:[^<>@,"]* )?<[^\s<>@,"]+@[^\s<>@,"]+>$|^[^\s<>@,"]+@[^\s<>@,"]+$/.test(text);
}

function isHostAndPort(text: string): boolean {
  const port = Number(hostAndPort.exec(text)?.[1] ?? 0);
  return port > 0 && port <= 65_535;
}
