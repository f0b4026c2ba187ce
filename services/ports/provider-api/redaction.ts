/** What may be shown of a text that came from elsewhere. */

const shownMax = 300;

/** The text without the secrets, however they are written in it, without control characters, and not endless. */
export function clean(text: string, secrets: readonly string[]): string {
  let shown = text;
  const spellings = secrets
    .filter((secret) => secret !== '')
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
    .sort((a, b) => b.length - a.length);
  for (const spelling of spellings) shown = shown.replaceAll(spelling, '…');
  shown = shown.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
  return shown.length > shownMax ? `${shown.slice(0, shownMax)}…` : shown;
}
