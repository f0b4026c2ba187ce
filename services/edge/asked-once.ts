import type { JournalRefusal } from './journal.ts';

/** What became of something that was to be journaled: its id, or why not. */
export type Written = { id: string } | { refused: JournalRefusal };

/**
 * Has each thing written once, however often and at once it is asked for: the same key gives the same outcome. What was
 * refused may be asked for again: the flow drops the second, should both have been written. The last `keysMax` keys are
 * remembered; they do not outlive the process.
 */
export function askedOnce(keysMax: number): (key: string, write: () => Promise<Written>) => Promise<Written> {
  const outcomes = new Map<string, Promise<Written>>();
  return (key, write) => {
    const known = outcomes.get(key);
    if (known) return known;
    const outcome = write();
    outcomes.set(key, outcome);
    if (outcomes.size > keysMax) outcomes.delete(outcomes.keys().next().value!);
    outcome.then((written) => 'refused' in written && outcomes.delete(key));
    return outcome;
  };
}
