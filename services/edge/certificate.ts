/** The certificate of an edge that speaks TLS itself: read, checked, and read again while it runs. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Logger } from 'pino';
import { ConfigError } from '../config.ts';
import type { EdgeTlsMetrics } from '../telemetry.ts';

/** PEM files: the certificate with whatever is between it and its root, and its key without a passphrase. */
export interface CertificateFiles {
  certFile: string;
  keyFile: string;
}

export interface Certificate {
  /** PEM. */
  cert: Buffer;
  /** PEM. */
  key: Buffer;
  /** As the certificate has them: `DNS:hooks.example.com, …`. */
  names: string;
  notBeforeMs: number;
  notAfterMs: number;
}

/** The certificate that is served now. */
export interface KeptCertificate {
  current(): Certificate;
  /** Reads the files again; true when what they hold is served from now on. Otherwise the one before is. */
  reload(): boolean;
  /** What is wrong with it: for /readyz. */
  remarks(): string[];
}

export interface KeptCertificateOptions {
  files: CertificateFiles;
  metrics: EdgeTlsMetrics;
  logger: Logger;
  /** Milliseconds of the wall clock. */
  now?: () => number;
}

/**
 * Reads a certificate and its key. One that has run out or is not valid yet is taken: whoever serves it is told.
 * @throws ConfigError that names the file and what is wrong with it.
 */
export function readCertificate({ certFile, keyFile }: CertificateFiles): Certificate {
  const cert = read(certFile, 'HOOKWATCH_EDGE_TLS_CERT');
  const key = read(keyFile, 'HOOKWATCH_EDGE_TLS_KEY');
  const leaf = parseCertificate(cert, certFile);
  if (!leaf.checkPrivateKey(parseKey(key, keyFile))) {
    throw new ConfigError(`Cannot use ${keyFile} (HOOKWATCH_EDGE_TLS_KEY): it is not the key of ${certFile}`);
  }
  try {
    // What the checks above let through and OpenSSL refuses, as a key that is too short.
    createSecureContext({ cert, key });
  } catch (cause) {
    throw new ConfigError(`Cannot use ${certFile} (HOOKWATCH_EDGE_TLS_CERT): ${(cause as Error).message}`, { cause });
  }
  return {
    cert,
    key,
    names: leaf.subjectAltName ?? leaf.subject,
    notBeforeMs: leaf.validFromDate.getTime(),
    notAfterMs: leaf.validToDate.getTime(),
  };
}

/** Reads the files, and keeps what they hold until they hold something better. @throws ConfigError */
export function keepCertificate(options: KeptCertificateOptions): KeptCertificate {
  const { files, metrics, logger, now = Date.now } = options;
  let current = readCertificate(files);
  let refused: string | undefined;
  announce();

  function announce(): void {
    metrics.certificateNotAfter.set(current.notAfterMs / 1_000);
    const fields = { names: current.names, notAfter: new Date(current.notAfterMs).toISOString() };
    const wrong = dateRemark(current, now());
    if (wrong) logger.warn(fields, `Senders will refuse the certificate: it ${wrong}`);
    else logger.info(fields, 'Deliveries are taken in over TLS');
  }

  return {
    current: () => current,
    reload() {
      try {
        current = readCertificate(files);
        refused = undefined;
        announce();
        return true;
      } catch (error) {
        refused = (error as Error).message;
        logger.error({ err: error }, 'The certificate was not read again: the one before is served');
        return false;
      }
    },
    remarks() {
      const wrong = dateRemark(current, now());
      return [
        ...(refused ? [`the certificate before is served: ${refused}`] : []),
        ...(wrong ? [`the certificate ${wrong}`] : []),
      ];
    },
  };
}

function dateRemark({ notBeforeMs, notAfterMs }: Certificate, nowMs: number): string | undefined {
  if (nowMs > notAfterMs) return `ran out on ${new Date(notAfterMs).toISOString()}`;
  return nowMs < notBeforeMs ? `is not valid before ${new Date(notBeforeMs).toISOString()}` : undefined;
}

function read(file: string, setting: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new ConfigError(`Cannot read ${file} (${setting}): ${(cause as Error).message}`, { cause });
  }
}

function parseCertificate(pem: Buffer, file: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new ConfigError(`Cannot use ${file} (HOOKWATCH_EDGE_TLS_CERT): it holds no certificate in PEM`, { cause });
  }
}

function parseKey(pem: Buffer, file: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    const encrypted = pem.includes('ENCRYPTED');
    const reason = encrypted ? 'its key has a passphrase' : 'it holds no private key in PEM';
    throw new ConfigError(`Cannot use ${file} (HOOKWATCH_EDGE_TLS_KEY): ${reason}`, { cause });
  }
}
