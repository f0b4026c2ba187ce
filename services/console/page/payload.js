/** JSON in colours, as text nodes in spans; what is large stays plain. */
import { make } from './dom.js';

const colouredCharactersMax = 64 * 1024;
const token = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;

/**
 * @param {string} text
 * @param {boolean} isJson
 * @returns {HTMLElement} a `pre`
 */
export function renderPayload(text, isJson) {
  const pre = make('pre', { className: 'payload' });
  if (!isJson || text.length > colouredCharactersMax) {
    pre.textContent = text;
    return pre;
  }
  let end = 0;
  for (const match of text.matchAll(token)) {
    const [whole, string, colon] = match;
    pre.append(text.slice(end, match.index));
    const word = string ?? whole;
    pre.append(make('span', { text: word, className: string ? (colon ? 'json-name' : 'json-string') : 'json-value' }));
    pre.append(whole.slice(word.length));
    end = match.index + whole.length;
  }
  pre.append(text.slice(end));
  return pre;
}
