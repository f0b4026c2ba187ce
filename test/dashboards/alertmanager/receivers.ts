/** Whom a test's Alertmanager tells: a webhook, something that takes Slack's messages, and a mail server. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { TestCertificate } from '../../edge/certificates.ts';

/** Takes whatever is posted, as an incoming webhook does. */
export async function startHook() {
  const taken: { path: string; body: unknown }[] = [];
  const server = createHttpServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    taken.push({ path: request.url ?? '', body: JSON.parse(Buffer.concat(chunks).toString()) });
    response.end('ok');
  });
  await listen(server);
  return { taken, url: `http://127.0.0.1:${portOf(server)}` };
}

export interface Mail {
  encrypted: boolean;
  user: string;
  password: string;
  from: string;
  to: string[];
  headers: Record<string, string>;
  /** Decoded from quoted-printable. */
  text: string;
}

/** An SMTP server (RFC 5321) at `localhost`. With a certificate it has STARTTLS and demands a login; else it has neither. */
export async function startMailServer(certificate?: TestCertificate) {
  const mails: Mail[] = [];
  const server = createServer((socket) => {
    socket.write('220 localhost\r\n');
    converse(socket, certificate, mails, { encrypted: false, user: '', password: '' });
  });
  await listen(server);
  return { mails, host: `localhost:${portOf(server)}` };
}

interface Session {
  encrypted: boolean;
  user: string;
  password: string;
}

function converse(socket: Socket, certificate: TestCertificate | undefined, mails: Mail[], session: Session): void {
  let [from, to, rest, inData] = ['', [] as string[], '', false];
  const answers: Record<string, (line: string) => string | undefined> = {
    EHLO: () =>
      certificate ? `250-localhost\r\n250 ${session.encrypted ? 'AUTH PLAIN' : 'STARTTLS'}` : '250 localhost',
    AUTH: (line) => {
      const login = Buffer.from(line.split(' ')[2] ?? '', 'base64')
        .toString()
        .split('\0');
      [, session.user = '', session.password = ''] = login;
      return '235 ok';
    },
    MAIL: (line) => {
      from = line.slice('MAIL FROM:'.length);
      return session.user || !certificate ? '250 ok' : '530 log in first';
    },
    RCPT: (line) => {
      to.push(line.slice('RCPT TO:'.length));
      return '250 ok';
    },
    DATA: () => {
      inData = true;
      return '354 go on';
    },
    QUIT: () => '221 bye',
  };

  socket.on('error', () => {});
  socket.on('data', function take(chunk) {
    rest += chunk.toString();
    for (;;) {
      const end = rest.indexOf(inData ? '\r\n.\r\n' : '\r\n');
      if (end < 0) return;
      const line = rest.slice(0, end);
      rest = rest.slice(end + (inData ? 5 : 2));
      if (inData) {
        inData = false;
        mails.push({ ...session, from, to, ...parseMail(line) });
        to = [];
        socket.write('250 ok\r\n');
        continue;
      }
      if (line === 'STARTTLS' && certificate) {
        socket.removeListener('data', take);
        socket.write('220 go on\r\n');
        const secure = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(certificate) });
        return converse(secure, certificate, mails, { ...session, encrypted: true });
      }
      socket.write(`${answers[line.slice(0, 4).toUpperCase()]?.(line) ?? '500 what?'}\r\n`);
    }
  });
}

/** Its headers, and its one part. */
function parseMail(message: string): Pick<Mail, 'headers' | 'text'> {
  const [head = '', ...parts] = message.split('\r\n\r\n');
  const headers = head.split('\r\n').map((line) => line.split(/: (.*)/s) as [string, string]);
  const text = parts.join('\r\n\r\n').replaceAll('=\r\n', '');
  return {
    headers: Object.fromEntries(headers),
    text: text.replaceAll(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
  };
}

async function listen(server: Server): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
