/** What an endpoint is, whoever defines it: checked by what its provider says of itself. */
import { z } from 'zod';
import type { Provider } from './core/providers/provider.ts';
import { providers } from './core/providers/providers.ts';

/** An endpoint as configured. `token` is only known under `demo: true`; elsewhere only its hash is. */
export interface EndpointConfig {
  name: string;
  provider: string;
  /** Empty where the provider's bodies say what they are. */
  event: string;
  /** Owning account, without the provider, in the provider's one spelling. */
  account: string;
  recursive: boolean;
  /** Empty where the endpoint has none: it is then open. */
  tokenSha256: string;
  /** Taken besides, each until it ends by the edge's clock; hashed alike. */
  otherTokens?: readonly { sha256: string; endsAtMs?: number }[];
  token?: string;
  /** File that holds the token, seen from the folder of hookwatch.yaml: for who tells the provider the URL. */
  tokenFile?: string;
  /** What its deliveries are verified with, where its provider needs that; two while one is changed for another. */
  secrets?: readonly SecretConfig[];
  /** Reached at the URL of the provider's sample listener as well: /webhook/<event in lower case>. */
  sample?: boolean;
  /** At that URL no token is asked for. */
  open?: boolean;
}

/** A secret that is active. */
export interface SecretConfig {
  id: string;
  /** A function, so that neither JSON nor a log shows it. */
  reveal(): string;
}

export const nameSchema = z.string().regex(/^[a-z0-9-]{1,63}$/, 'must be 1 to 63 of a-z, 0-9 and -');
export const providerNameSchema = z.enum([...providers.keys()], {
  error: `must be one of ${[...providers.keys()].join(', ')}`,
});

/** The parts that say what is listened to, without its tokens and secrets. */
export const definitionFields = {
  name: nameSchema,
  provider: providerNameSchema,
  event: z.string().default(''),
  account: z.string(),
  recursive: z.boolean().default(false),
  path: z.literal('sample').optional(),
  open: z.boolean().default(false),
};

type Definition = z.infer<z.ZodObject<typeof definitionFields>>;

/** For `superRefine`: what only the provider can say. */
export function checkDefinition(definition: Definition, context: z.RefinementCtx): void {
  const report = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
  const provider = providers.get(definition.provider)!;
  const event = problemOfEvent(provider, definition.event);
  if (event) report('event', event);
  const account = problemOfAccount(provider, definition.account);
  if (account) report('account', account);
  if (definition.path && !provider.unnamedEvents.includes(definition.event)) {
    const allowed = provider.unnamedEvents.length > 0 ? `event ${provider.unnamedEvents.join(', ')}` : 'no endpoint';
    report('path', `sample goes with ${allowed} of ${provider.name}`);
  }
  if (definition.open && !definition.path) report('open', 'goes with path: sample alone: any other URL has a token');
}

function problemOfEvent({ name, events, unnamedEvents }: Provider, event: string): string | undefined {
  if (events.length === 0) return event === '' ? undefined : `${name} says in its bodies what they are: leave it out`;
  const allowed = [...events, ...unnamedEvents];
  return allowed.includes(event) ? undefined : `must be one of ${allowed.join(', ')}`;
}

/** Undefined where it is an account's name. */
export function problemOfAccount({ name, accountPattern }: Provider, account: string): string | undefined {
  return accountPattern.test(account) ? undefined : `must be an account of ${name}: ${accountPattern.source}`;
}
