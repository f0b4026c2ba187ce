/** Names of entities and actions, made of the words that providers use. */

const wordCharactersMax = 64;

/** What the flow does more with than to keep it: a provider's own word must not be taken for one of these. */
const wordsOfTheFlow = new Set(['account', 'user', 'server', 'alert', 'backup']);

/** `ClientAdministrator` and `client administrator` → `client_administrator`. Empty where nothing of it is left. */
export function snakeCase(text: string): string {
  return text
    .slice(0, wordCharactersMax)
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '')
    .slice(0, wordCharactersMax);
}

/** A provider's own word for an entity. `server` of `citrix`, which is nothing that the flow counts → `citrix_server`. */
export function ownEntity(provider: string, word: string): string {
  return wordsOfTheFlow.has(word) ? `${snakeCase(provider)}_${word}` : word;
}
