import type { Logger } from 'pino';
import { LogUnavailableError } from '../../ports/log/log.ts';
import { createReminder } from '../reminder.ts';

/** Something that is wrong for one or several: said at once and then once a minute, and once that it is over for all. */
export interface Trouble {
  begin(who: object, error: unknown): void;
  end(who: object): void;
  /** What is wrong now. */
  lasting(): string | undefined;
}

/** `words` say what is wrong and what follows, `over` that it is no more. */
export function createTrouble(logger: Logger, words: string, over: string): Trouble {
  const reminder = createReminder(() => performance.now());
  const troubled = new Set<object>();
  let said = false;
  return {
    begin(who, error) {
      troubled.add(who);
      if (!reminder.due()) return;
      said = true;
      // Kafka may be away for a while; all else is for people to look at.
      logger[error instanceof LogUnavailableError ? 'warn' : 'error']({ err: error }, words);
    },
    end(who) {
      if (!troubled.delete(who) || troubled.size > 0 || !said) return;
      said = false;
      logger.info(over);
    },
    lasting: () => (troubled.size > 0 ? words : undefined),
  };
}
