import backup from './backup/provider.ts';
import centurylink from './centurylink/provider.ts';
import citrix from './citrix/provider.ts';
import type { Decode, Provider } from './provider.ts';
import standardWebhooks from './standard-webhooks/provider.ts';

/** Every provider. One is added by a line here and a folder beside this file. */
const all: readonly Provider[] = [centurylink, citrix, backup, standardWebhooks];

/** By the name that endpoints give. */
export const providers: ReadonlyMap<string, Provider> = new Map(all.map((provider) => [provider.name, provider]));

/** What the flow decodes with. */
export const decoders: ReadonlyMap<string, Decode> = new Map(all.map(({ name, decode }) => [name, decode]));
