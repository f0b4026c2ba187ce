import { hash } from 'node:crypto';

/** Epoch milliseconds as 12 lower-case hex digits: ids sort by time until the year 10889. */
export function hexTime(timeMs: number): string {
  return timeMs.toString(16).padStart(12, '0');
}

/**
 * Id of an output: when the first delivery behind it was received, then a hash of what it is and of that delivery. It is
 * fixed at first emission, and the same whoever works the lane.
 */
export function outputId(receivedAt: number, ...parts: readonly string[]): string {
  return `${hexTime(receivedAt)}-${hash('sha256', parts.join('\n')).slice(0, 20)}`;
}

/** Id of the event that a delivery states, should it state one. */
export function eventId(tenant: string, delivery: string, receivedAt: number): string {
  return outputId(receivedAt, 'event', tenant, delivery);
}

/** Rows of one id: the highest version wins. The epoch comes first, so that a new function's rows replace an old one's. */
export function versionOf(epoch: number, revision: number): number {
  return epoch * 2 ** 32 + revision;
}
