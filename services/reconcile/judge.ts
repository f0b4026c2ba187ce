/**
 * What a comparison of the lane's state with the provider's API comes to. Pure.
 *
 * The two are never of one moment, so a difference is no finding yet: see run.ts for what it takes to be one.
 */

import type { Sighting } from './estate.ts';
import type { KnownEntity } from './known.ts';

export type Difference =
  /** The state has never met it. */
  | 'unknown'
  /** The API shows it otherwise, and not as it was before. */
  | 'changed'
  /** Another one bears its name: its deletion and a creation were missed. */
  | 'reborn'
  /** The API does not show it. */
  | 'gone';

export type Judgement =
  | Difference
  /** No difference, or the state is newer than what the API showed. */
  | 'same'
  /** The API shows what was deleted, and no new life of it: one of both is late. */
  | 'contradiction';

/** `undefined`: the state does not know it, or the API does not show it. One of both is given. */
export function judge(known: KnownEntity | undefined, seen: Sighting | undefined): Judgement {
  if (!known) return seen ? 'unknown' : 'same';
  if (!seen) return known.deleted ? 'same' : 'gone';
  if (isReborn(known, seen)) return 'reborn';
  if (known.deleted) return 'contradiction';
  if (known.digest === seen.digest || isOlder(known, seen)) return 'same';
  return 'changed';
}

function isReborn({ createdAt }: KnownEntity, seen: Sighting): boolean {
  return createdAt !== null && seen.createdAt !== undefined && seen.createdAt > createdAt;
}

function isOlder({ modifiedAt }: KnownEntity, seen: Sighting): boolean {
  return modifiedAt !== null && seen.modifiedAt !== undefined && seen.modifiedAt < modifiedAt;
}
