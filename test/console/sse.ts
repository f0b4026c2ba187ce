import type { Changes } from '../../services/console/board.ts';

export interface Message {
  event: string;
  id: string;
  changes: Changes;
}

/** Reads a stream of server-sent events message by message, as a browser would. */
export function readMessages(response: Response) {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const comments: string[] = [];
  let text = '';

  async function nextBlock(): Promise<string | undefined> {
    for (;;) {
      const end = text.indexOf('\n\n');
      if (end >= 0) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        return block;
      }
      const { done, value } = await reader.read();
      if (done) return undefined;
      text += value;
    }
  }

  return {
    comments,
    /** The next message; undefined once the stream has ended. */
    async next(): Promise<Message | undefined> {
      for (let block = await nextBlock(); block !== undefined; block = await nextBlock()) {
        const lines = block.split('\n');
        comments.push(...lines.filter((line) => line.startsWith(':')));
        const read = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
        if (read('data')) return { event: read('event'), id: read('id'), changes: JSON.parse(read('data')) };
      }
      return undefined;
    },
    leave: () => reader.cancel(),
  };
}
