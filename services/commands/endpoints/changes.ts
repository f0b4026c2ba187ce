/** What `hookwatch endpoints` makes of endpoints.json. Pure: who calls brings the time and the new token's hash. */

import { z } from 'zod';
import type { EndpointConfig, TenantConfig } from '../../config.ts';
import { checkDefinition, nameSchema } from '../../endpoint-definition.ts';
import type { EndpointDefinition, EndpointEntry, EndpointsContent, TokenEntry } from '../../endpoints-file.ts';

/** A change that cannot be made. Asking again does not help. */
export class ChangeError extends Error {
  readonly code = 'ENDPOINT_CHANGE_REFUSED';
}

/** Names an endpoint. */
export interface Place {
  tenant: string;
  name: string;
}

export interface NewSecret {
  id: string;
  /** Where it lies, as endpoints.json names it. */
  file: string;
}

/** A key or shared secret may be taken beside the one that follows it. */
const secretsMax = 2;

export function addEndpoint(
  content: EndpointsContent,
  tenant: TenantConfig,
  added: {
    name: string;
    definition: EndpointDefinition;
    sha256: string;
    secret?: NewSecret | undefined;
    nowMs: number;
  },
): EndpointsContent {
  const { name, definition, sha256, secret, nowMs } = added;
  const place = { tenant: tenant.name, name };
  const known = findEntry(content, place);
  if (known?.disabledAt) throw new ChangeError(`${show(place)} is disabled: enable it, or choose another name`);
  if (known?.definition || configuredOf(tenant, name)) throw new ChangeError(`${show(place)} is there already`);
  const madeAt = new Date(nowMs).toISOString();
  return put(content, {
    ...place,
    definition,
    tokens: [{ sha256, madeAt }],
    ...(secret && { secrets: [{ ...secret, madeAt }] }),
  });
}

/** From now on a new token is taken, and those before until `graceMs` are over. */
export function rotateToken(
  content: EndpointsContent,
  tenant: TenantConfig,
  rotated: { name: string; sha256: string; graceMs: number; nowMs: number },
): EndpointsContent {
  const { name, sha256, graceMs, nowMs } = rotated;
  const { entry, configured } = existing(content, tenant, name);
  if (configured?.tokenSha256 === '') throw new ChangeError(`${show(entry)} is open: it has no token`);
  const own = configured?.tokenSha256;
  const known: TokenEntry[] =
    own === undefined || entry.tokens.some((token) => token.sha256 === own)
      ? entry.tokens
      : [{ sha256: own }, ...entry.tokens];
  const endMs = nowMs + graceMs;
  const before = known
    .map((token) => ({ ...token, endsAt: earlier(token.endsAt, endMs) }))
    // hookwatch.yaml would bring its own to life again.
    .filter((token) => Date.parse(token.endsAt) > nowMs || token.sha256 === own);
  return put(content, { ...entry, tokens: [...before, { sha256, madeAt: new Date(nowMs).toISOString() }] });
}

/** From now on a new secret is taken, and the one before besides; with `alone` no other is. */
export function rotateSecret(
  content: EndpointsContent,
  tenant: TenantConfig,
  rotated: { name: string; secret: NewSecret; alone: boolean; nowMs: number },
): EndpointsContent {
  const { name, secret, alone, nowMs } = rotated;
  const { entry, configured } = existing(content, tenant, name);
  if (!entry.secrets && configured?.secrets?.length) {
    throw new ChangeError(`${show(entry)} has its secrets in hookwatch.yaml: change them there`);
  }
  const before = alone ? [] : (entry.secrets ?? []).slice(1 - secretsMax);
  const madeAt = new Date(nowMs).toISOString();
  return put(content, { ...entry, secrets: [...before, { ...secret, madeAt }] });
}

export function disableEndpoint(
  content: EndpointsContent,
  tenant: TenantConfig,
  { name, nowMs }: { name: string; nowMs: number },
): EndpointsContent {
  const { entry } = existing(content, tenant, name);
  return put(content, { ...entry, disabledAt: new Date(nowMs).toISOString() });
}

export function enableEndpoint(content: EndpointsContent, tenant: TenantConfig, name: string): EndpointsContent {
  const place = { tenant: tenant.name, name };
  const entry = findEntry(content, place);
  if (!entry?.disabledAt) throw new ChangeError(`${show(place)} is not disabled`);
  const { disabledAt: _, ...rest } = entry;
  return put(content, rest);
}

/** What is wrong with a definition: a line each; empty where nothing is. */
export function problemsOf(name: string, definition: EndpointDefinition): string[] {
  const parsed = z
    .object({ name: nameSchema })
    .superRefine((_, context) => checkDefinition({ ...definition, name, open: false }, context))
    .safeParse({ name });
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

export function show({ tenant, name }: Place): string {
  return `${tenant}/${name}`;
}

export function findEntry({ endpoints }: EndpointsContent, { tenant, name }: Place): EndpointEntry | undefined {
  return endpoints.find((entry) => entry.tenant === tenant && entry.name === name);
}

/** Of hookwatch.yaml. */
export function configuredOf(tenant: TenantConfig, name: string): EndpointConfig | undefined {
  return tenant.endpoints.find((endpoint) => endpoint.name === name);
}

/** An endpoint that is listened to: its entry, a new one where only hookwatch.yaml knows it. */
function existing(content: EndpointsContent, tenant: TenantConfig, name: string) {
  const place = { tenant: tenant.name, name };
  const configured = configuredOf(tenant, name);
  const entry = findEntry(content, place);
  if (entry?.disabledAt) throw new ChangeError(`${show(place)} is disabled since ${entry.disabledAt}: enable it first`);
  if (!configured && !entry?.definition) {
    throw new ChangeError(`There is no ${show(place)}: \`hookwatch endpoints list\` tells which there are`);
  }
  return { entry: entry ?? { ...place, tokens: [] }, configured };
}

function put(content: EndpointsContent, entry: EndpointEntry): EndpointsContent {
  const at = content.endpoints.findIndex(({ tenant, name }) => tenant === entry.tenant && name === entry.name);
  const endpoints = at < 0 ? [...content.endpoints, entry] : content.endpoints.with(at, entry);
  return { ...content, revision: content.revision + 1, endpoints };
}

function earlier(endsAt: string | undefined, endMs: number): string {
  return new Date(Math.min(endMs, endsAt === undefined ? endMs : Date.parse(endsAt))).toISOString();
}
