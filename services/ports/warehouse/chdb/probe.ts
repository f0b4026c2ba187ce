import type { Engine } from './engine.ts';

const timeoutMs = 3_000;

/**
 * Whether the engine answers: resolves with why it does not, or with an empty string. It asks past the line of queries,
 * so that a busy engine counts as ready, and with one `SELECT 1` at a time however many ask, for nobody has to prove who
 * he is. One that hangs therefore holds one thread, and stays the one that all wait for.
 */
export function createProbe(engine: Engine, database: string): () => Promise<string> {
  const query = { rights: 'analyst', database, settings: {}, parameters: {}, id: 'ready' } as const;
  let asked: Promise<string> | undefined;

  function ask(): Promise<string> {
    asked ??= engine
      .query('SELECT 1', 'TSVRaw', query)
      .then(
        ({ bytes }) => (bytes.toString() === '1\n' ? '' : 'the engine gives wrong answers'),
        (error: Error) => `the engine refuses: ${error.message}`,
      )
      .finally(() => {
        asked = undefined;
      });
    return asked;
  }

  return async () => {
    const late = Promise.withResolvers<string>();
    const timer = setTimeout(late.resolve, timeoutMs, `the engine has not answered within ${timeoutMs} ms`);
    try {
      return await Promise.race([ask(), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  };
}
