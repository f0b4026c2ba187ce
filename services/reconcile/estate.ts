/** What a provider's API tells, as far as a comparison needs it. One implementation for each provider that has such an API. */

export type EntityTable = 'accounts' | 'servers';

/** An account or a server as the provider's API showed it. Times in epoch milliseconds; undefined where it says nothing. */
export interface Sighting {
  table: EntityTable;
  /** provider:account. */
  account: string;
  /** The one spelling by which the flow recognises it. */
  key: string;
  /** How the API is asked for it. */
  id: string;
  /** In the shape that a webhook carries. */
  body: string;
  digest: string;
  createdAt?: number | undefined;
  modifiedAt?: number | undefined;
  /** Accounts: the one directly above, as provider:account; empty where there is none. */
  parent: string;
}

/**
 * Guarantees:
 * - undefined is the provider's own word that there is no such thing, never an answer that was lost or not understood;
 * - `servers` resolves only with a whole answer: what the API itself says to be there is in it. A server that moves while
 *   it is asked for may be missing all the same, or be there twice;
 * - everything else rejects with a ProviderApiError, or a WalkError where the answers do not fit together.
 */
export interface Estate {
  readonly provider: string;
  /** Host that is asked. */
  readonly host: string;
  account(account: string): Promise<Sighting | undefined>;
  servers(account: string): Promise<Sighting[]>;
  server(account: string, id: string): Promise<Sighting | undefined>;
}

/** What the API told does not fit together; the account cannot be compared now. */
export class WalkError extends Error {
  readonly code = 'WALK_INCOMPLETE';
}

/** `centurylink:ACME` → `ACME`. */
export function nameOf(account: string): string {
  return account.slice(account.indexOf(':') + 1);
}
