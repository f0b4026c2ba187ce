/** What `hookwatch endpoints` is asked: its options, checked. */
import { parseArgs } from 'node:util';
import { ConfigError } from '../../config.ts';

export const endpointsUsage = `Usage: npm run hookwatch -- endpoints <action> [NAME] [options]

  list              which endpoints there are, and whether every edge listens to them
  add NAME          a new endpoint; prints its token, which is kept as a hash and shown this once
  rotate NAME       a new token, or with --secret-file a new secret; those before are taken for a while
  disable NAME      from now on it is answered 404, as an endpoint that there never was
  enable NAME       takes that back

Changes are written to endpoints.json in the data folder (HOOKWATCH_ENDPOINTS_FILE); hookwatch.yaml stays as it is. Edges
read them within a second or so, without a restart. The command ends when every edge (HOOKWATCH_EDGES) listens to them and
the lane knows of them.

  --tenant NAME        whose it is; needed where hookwatch.yaml has several
  --provider NAME      add: who calls it
  --event NAME         add: what it is registered for, where the provider's bodies do not say
  --account ALIAS      add: the account that owns it at the provider
  --recursive          add: it also hears of the accounts below
  --secret-file PATH   add, rotate: a file with the secret that verifies what the provider sends; it is copied
  --token-file PATH    add, rotate: writes the token to a new file, for its owner alone, in place of printing it
  --grace 24h          rotate: how long the tokens before are taken, in s, m or h
  --now                rotate: tokens, or secrets, before it are not taken from now on
  --no-wait            does not wait for edges and lanes: for a Hookwatch that does not run
  --json               for programs: one JSON object
  --port-offset N      as given to npm start
  --help               this text

Exit code: 0 done, and of \`list\` all edges are ready; 1 not done, or not everywhere (it says what); 2 wrong usage.
`;

export const actions = ['list', 'add', 'rotate', 'disable', 'enable'] as const;
export type Action = (typeof actions)[number];

const options = {
  tenant: { type: 'string' },
  provider: { type: 'string' },
  event: { type: 'string' },
  account: { type: 'string' },
  recursive: { type: 'boolean' },
  'secret-file': { type: 'string' },
  'token-file': { type: 'string' },
  grace: { type: 'string' },
  now: { type: 'boolean' },
  'no-wait': { type: 'boolean' },
  json: { type: 'boolean' },
  'port-offset': { type: 'string' },
  help: { type: 'boolean' },
} as const;

type Option = keyof typeof options;
type Values = ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>['values'];

export interface Request {
  action: Action;
  /** Empty for `list`. */
  name: string;
  values: Values;
  graceMs: number;
}

const everywhere: readonly Option[] = ['tenant', 'json', 'port-offset', 'help'];
const allowed: Readonly<Record<Action, readonly Option[]>> = {
  list: everywhere,
  add: [...everywhere, 'provider', 'event', 'account', 'recursive', 'secret-file', 'token-file', 'no-wait'],
  rotate: [...everywhere, 'secret-file', 'token-file', 'grace', 'now', 'no-wait'],
  disable: [...everywhere, 'no-wait'],
  enable: [...everywhere, 'no-wait'],
};

const graceByDefault = '24h';
const graceMsMax = 90 * 86_400_000;

/** @throws ConfigError where it is used wrongly; parseArgs throws of its own where an option is unknown. */
export function parseRequest(args: readonly string[]): Request {
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const [word = '', name = '', ...rest] = positionals;
  const action = actions.find((known) => known === word);
  if (!action) throw wrong(word === '' ? 'an action is missing' : `there is no action ${word}`);
  if (rest.length > 0 || (action === 'list' && name !== '')) throw wrong(`${positionals.at(-1)} is one word too many`);
  if (action !== 'list' && name === '') throw wrong(`${action} needs the NAME of an endpoint`);
  const stray = (Object.keys(values) as Option[]).find((option) => !allowed[action].includes(option));
  if (stray) throw wrong(`${action} does not take --${stray}`);
  if (action === 'add') {
    const missing = (['provider', 'account'] as const).find((option) => !values[option]);
    if (missing) throw wrong(`add needs --${missing}`);
  }
  if (values.now && values.grace) throw wrong('--now and --grace exclude each other');
  if (values['token-file'] && action === 'rotate' && values['secret-file']) {
    throw wrong('--token-file is for tokens: rotate one thing after the other');
  }
  if (values.grace && values['secret-file'])
    throw wrong('--grace is for tokens: a secret is taken until the next but one');
  return { action, name, values, graceMs: values.now ? 0 : parseGrace(values.grace ?? graceByDefault) };
}

function parseGrace(text: string): number {
  const [, number, unit] = /^(\d{1,7})([smh])$/.exec(text) ?? [];
  const graceMs = Number(number) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h'];
  if (!(graceMs <= graceMsMax)) throw wrong(`--grace ${text} must be a number and s, m or h, at most 2160h`);
  return graceMs;
}

function wrong(how: string): ConfigError {
  return new ConfigError(`Cannot do anything about endpoints: ${how}\n\n${endpointsUsage}`);
}
