import { Readable } from 'node:stream';
import SMTPConnection, { type SMTPConnectionOptions } from 'nodemailer/lib/smtp-connection';
import { DeliveryFailedError } from '../../gateway/adapter/errors.js';
import { asciiDomain } from './address.js';
import type { EmailConfig } from './config.js';
import type { DnsResolver } from './dns.js';
import { findMailHosts } from './mail-route.js';
import type { RenderedMail } from './rendering.js';
import { cleanLine } from './text.js';

interface SmtpFailure extends Error {
  readonly code?: string;
  readonly responseCode?: number;
  readonly response?: string;
  /** By the server's answer; undefined where it gave none. */
  readonly permanent?: boolean;
}

type Server = SMTPConnectionOptions & { auth?: { user: string; pass?: string } };

/** Hands finished mails to the smart host, or to the mail servers of the receiver's domain. */
export class MailSender {
  readonly #underWay = new Set<Promise<void>>();
  #cut = new AbortController();

  constructor(private readonly options: { config: EmailConfig['outgoing']; hostname: string; resolver: DnsResolver }) {}

  /**
   * Resolves once a server has taken the mail.
   * @throws DeliveryFailedError MAIL_REFUSED (permanent, in the server's words), MAIL_DEFERRED, MAIL_HOST_UNREACHABLE,
   *   and what `findMailHosts` throws
   */
  async send(mail: RenderedMail): Promise<void> {
    const sending = this.#send(mail);
    const settled = sending.catch(() => {}).finally(() => this.#underWay.delete(settled));
    this.#underWay.add(settled);
    return sending;
  }

  /** After a stop; a new one needs none. */
  start(): void {
    this.#cut = new AbortController();
  }

  /**
   * Lets mail under way finish, and breaks off what is not done after `patienceMs`: it may go again later, which is
   * what would become of it anyway if the process ended under it.
   */
  async stop(patienceMs: number): Promise<void> {
    // Not cleared: a handler that is under way now may come here later.
    const cut = this.#cut;
    setTimeout(() => cut.abort(), patienceMs).unref();
    await Promise.all(this.#underWay);
  }

  async #send(mail: RenderedMail): Promise<void> {
    let failure: unknown;
    for (const server of await this.serversFor(mail.envelope.to)) {
      try {
        return await deliver(mail, server, this.#cut.signal);
      } catch (error) {
        failure = error;
        if (!mayTryNext(error)) break;
      }
    }
    throw failure;
  }

  private async serversFor(to: string): Promise<Server[]> {
    const { config, hostname, resolver } = this.options;
    const patience = config.timeoutSeconds * 1_000;
    const common = { name: hostname, connectionTimeout: patience, greetingTimeout: patience, socketTimeout: patience };
    const { smartHost } = config;
    if (smartHost) {
      const { host, port, secure, user, pass } = smartHost;
      // A password never travels in the clear.
      return [
        {
          ...common,
          host,
          port,
          secure,
          requireTLS: user !== undefined,
          ...(user === undefined ? {} : { auth: { user, pass } }),
        },
      ];
    }
    const hosts = await findMailHosts(asciiDomain(to)!, resolver, config.allowPrivate);
    // Between mail servers TLS is opportunistic (RFC 7435): a bad certificate is no worse than none.
    return hosts.map(({ name, address }) => ({
      ...common,
      host: address,
      port: config.port,
      servername: name,
      opportunisticTLS: true,
      tls: { rejectUnauthorized: false },
    }));
  }
}

/** One attempt at one server. */
async function deliver(mail: RenderedMail, server: Server, cut: AbortSignal): Promise<void> {
  const connection = new SMTPConnection(server);
  const message = Readable.from([mail.raw], { objectMode: false });
  const over = new AbortController();
  try {
    cut.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      cut.addEventListener('abort', () => reject(new Error('broken off by a stop')), { signal: over.signal });
      // Stays for good: a late error without a listener would end the process.
      connection.on('error', reject);
      const transmit = () =>
        connection.send({ ...mail.envelope, size: mail.raw.length }, message, settle(resolve, reject));
      connection.connect((error) => {
        if (error) return reject(error);
        if (!server.auth) return transmit();
        return connection.login(server.auth, settle(transmit, reject));
      });
    });
    connection.quit();
  } catch (error) {
    connection.close();
    throw toDeliveryError(error as SmtpFailure, message.readableEnded);
  } finally {
    over.abort();
  }
}

function settle(resolve: () => void, reject: (error: Error) => void): (error: Error | null) => void {
  return (error) => (error ? reject(error) : resolve());
}

/** @param wasSent true once the server had every byte: without an answer nobody knows what became of it */
function toDeliveryError(error: SmtpFailure, wasSent: boolean): DeliveryFailedError {
  const words = cleanLine(error.response ?? error.message, 300);
  if (isRefusal(error)) {
    const reason = `The mail server of the receiver refused the message: ${words}`;
    return new DeliveryFailedError({ code: 'MAIL_REFUSED', reason, retryable: false, cause: error });
  }
  if (error.responseCode !== undefined) {
    const reason = `The mail server of the receiver asks to try again later: ${words}`;
    return new DeliveryFailedError({ code: 'MAIL_DEFERRED', reason, retryable: true, cause: error });
  }
  const reason = 'The mail server of the receiver could not be reached or broke off; we try again later.';
  const certainty = wasSent ? 'uncertain' : 'certain';
  return new DeliveryFailedError({
    code: 'MAIL_HOST_UNREACHABLE',
    reason,
    retryable: true,
    certainty,
    outage: true,
    cause: error,
  });
}

/** Only what is said about this mail: a greeting, TLS or login that fails is for the operators to mend. */
function isRefusal({ code, permanent }: SmtpFailure): boolean {
  return (code === 'EENVELOPE' || code === 'EMESSAGE') && (permanent ?? true);
}

function mayTryNext(error: unknown): boolean {
  return error instanceof DeliveryFailedError && error.retryable && error.certainty === 'certain';
}
