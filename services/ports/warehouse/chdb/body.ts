import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, constants, gunzip, gzip, type InputType, inflate, zstdDecompress } from 'node:zlib';
import { exceptionCodes, refuse } from './exception.ts';

type Decoder = (data: Buffer, bytesMax: number) => Promise<Buffer>;

const decoders: Record<string, Decoder> = {
  gzip: withLimit(promisify(gunzip)),
  deflate: withLimit(promisify(inflate)),
  br: withLimit(promisify(brotliDecompress)),
  zstd: withLimit(promisify(zstdDecompress)),
};

function withLimit(decode: (data: InputType, options: { maxOutputLength: number }) => Promise<Buffer>): Decoder {
  return (data, bytesMax) => decode(data, { maxOutputLength: bytesMax });
}

/** The whole body of a request as it was sent, at most `bytesMax` of it. */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw refuse('QUERY_IS_TOO_LARGE', `Request body exceeds ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/**
 * A body without its Content-Encoding. `decodeLz4` serves clickhouse-connect, which sends inserts so.
 * @throws ClickHouseException when there are more than `bytesMax`, or it is damaged.
 */
export async function decodeBody(
  body: Buffer,
  contentEncoding: string | undefined,
  bytesMax: number,
  decodeLz4: Decoder,
): Promise<Buffer> {
  const encoding = (contentEncoding ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '' || body.length === 0) return body;
  const decode = encoding === 'lz4' ? decodeLz4 : decoders[encoding];
  if (!decode) throw refuse('NOT_IMPLEMENTED', `Unknown Content-Encoding '${encoding}'`);
  try {
    return await decode(body, bytesMax);
  } catch (error) {
    const { code, exceptionCode } = error as { code?: string; exceptionCode?: number };
    if (code === 'ERR_BUFFER_TOO_LARGE' || exceptionCode === exceptionCodes.TOO_MANY_ROWS_OR_BYTES) {
      throw refuse('QUERY_IS_TOO_LARGE', `Decoded request body exceeds ${bytesMax} bytes`, { cause: error });
    }
    throw refuse('CANNOT_DECOMPRESS', `Cannot decode the request body as ${encoding}`, { cause: error });
  }
}

/** Compression that is worth its time on one machine. */
export function compressBody(body: Buffer): Promise<Buffer> {
  return promisify(gzip)(body, { level: constants.Z_BEST_SPEED });
}

/** The fields of a multipart form, as clients send a query with long parameters. */
export async function readForm(body: Buffer, contentType: string): Promise<[name: string, value: string][]> {
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': contentType } })
    .formData()
    .catch((error: unknown) => {
      throw refuse('BAD_ARGUMENTS', 'Cannot read the body as a multipart form', { cause: error });
    });
  return [...form].map(([name, value]) => {
    if (typeof value !== 'string') throw refuse('NOT_IMPLEMENTED', `External data (${name}) is not supported here`);
    return [name, value];
  });
}
