/** The answers of the page's links: all that is known of a delivery or a detection. */
import type { Context } from 'hono';
import type { Board } from './board.ts';
import { readBody } from './payload.ts';

/** Headers that carry a provider's signature of the raw body. */
const signatureHeaders = ['tier3-rsasha1'];

export interface Detail {
  showDelivery(context: Context): Response;
  showDetection(context: Context): Response;
}

export function createDetail(board: Board): Detail {
  return {
    showDelivery(context) {
      const id = context.req.param('id') ?? '';
      const facts = board.findDelivery(id);
      if (!facts) return answerGone(context, 'delivery', 'deliveries', id);
      const { body, headers, ...delivery } = facts.delivery;
      const name = signatureHeaders.find((header) => header in headers);
      return context.json({
        delivery: { ...delivery, body: readBody(body), headers },
        signature: name ? { header: name, value: headers[name] } : null,
        event: facts.event ?? null,
        reject: facts.reject ?? null,
        episode: facts.episode ?? null,
        sql: selectById('deliveries', id),
      });
    },
    showDetection(context) {
      const id = context.req.param('id') ?? '';
      const found = board.findDetection(id);
      if (!found) return answerGone(context, 'detection', 'detections', id);
      return context.json({ ...found, sql: selectById('detections', id) });
    },
  };
}

function answerGone(context: Context, what: string, table: string, id: string): Response {
  if (!isId(id)) return context.json({ error: `Cannot look for ${what}: the id is not one of ours` }, 404);
  return context.json(
    {
      error: `The page no longer holds ${what} ${id}, or it never did`,
      hint: 'The page keeps the newest only. ClickHouse has everything: ask it by id.',
      sql: selectById(table, id),
    },
    404,
  );
}

function isId(text: string): boolean {
  return /^[0-9a-z-]{1,128}$/i.test(text);
}

function selectById(table: string, id: string): string {
  return `SELECT * FROM hookwatch.${table} WHERE id = '${id}' FORMAT Vertical`;
}
