import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { Context } from 'hono';

const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

/** The pages' files by path, read once: `/` is index.html, `/x` is x.html. They are revalidated by ETag, never cached blindly. */
export function loadAssets(folder: URL): Map<string, (context: Context) => Response> {
  const assets = new Map<string, (context: Context) => Response>();
  for (const name of readdirSync(folder)) {
    const contentType = contentTypes[extname(name)];
    if (!contentType) continue;
    const bytes = readFileSync(new URL(name, folder));
    const etag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
    const headers = { 'Content-Type': contentType, ETag: etag, 'Cache-Control': 'no-cache' };
    assets.set(pathOf(name), (context) =>
      context.req.header('If-None-Match') === etag
        ? new Response(null, { status: 304, headers })
        : new Response(bytes, { headers }),
    );
  }
  return assets;
}

function pathOf(name: string): string {
  if (name === 'index.html') return '/';
  return name.endsWith('.html') ? `/${name.slice(0, -'.html'.length)}` : `/${name}`;
}
