/** The stream of changes, kept open: the browser reconnects by itself, and where it gives up the page starts it anew. */
/** @import { Changes } from '../board.ts' */

const retryMs = 2_000;

/**
 * @param {object} options
 * @param {(changes: Changes, fresh: boolean) => void} options.onChanges
 * @param {(state: 'live' | 'reconnecting') => void} options.onState
 */
export function openStream({ onChanges, onState }) {
  let lastId = '';

  function connect() {
    const source = new EventSource(lastId ? `/live?after=${lastId}` : '/live');
    source.onopen = () => onState('live');
    source.onerror = () => {
      onState('reconnecting');
      // A refusal, unlike a lost connection, ends an EventSource for good.
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, retryMs);
    };
    for (const name of ['reset', 'update']) {
      source.addEventListener(name, (/** @type {MessageEvent<string>} */ message) => {
        lastId = message.lastEventId;
        onChanges(JSON.parse(message.data), name === 'reset');
      });
    }
  }

  connect();
}
