import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import {
  SMTPServer,
  type SMTPServerAddress,
  type SMTPServerDataStream,
  type SMTPServerOptions,
  type SMTPServerSession,
} from 'smtp-server';
import { errorCode, GatewayError } from '../../common/errors.js';
import { ConfigError } from '../../config/errors.js';
import type { EventLog } from '../../ops/event-log.js';
import type { EmailConfig } from './config.js';
import { MailRefusedError, toSmtpReply } from './errors.js';
import { EMAIL, type AcceptedRecipient, type MailIntake } from './intake.js';
import { MailMemory, noRoom, refuseLarger, withMail } from './read-mail.js';

/** Somebody who asks for so many mailboxes that do not exist is collecting addresses. */
const MAX_UNKNOWN = 10;
const GOODBYE = '4.3.2 This service stops; please try again later.';
const STATUS = /^[245]\.\d\.\d{1,3} /;

/** What we know of a connection. */
interface Visit {
  /** By the path in RCPT TO. */
  readonly accepted: Map<string, AcceptedRecipient>;
  unknown: number;
}

type Callback = (error?: Error | null, text?: string) => void;

/** The SMTP server. It answers; what to answer is the intake's business. */
export class MailReceiver {
  private readonly visits = new WeakMap<SMTPServerSession, Visit>();
  private readonly memory: MailMemory;
  /** Mail whose bytes are coming in, or that is being taken. */
  private readonly underWay = new Set<SMTPServerSession>();
  private server: SMTPServer | null = null;

  constructor(private readonly options: { config: EmailConfig; hostname: string; log: EventLog }) {
    this.memory = new MailMemory(options.config.maxBytesInFlight);
  }

  /** Resolves once connections are taken. Rejects if the port is taken or not ours to open. */
  async start(intake: MailIntake): Promise<void> {
    const { config, log } = this.options;
    const server = new SMTPServer({ ...this.serverOptions(), ...this.handlers(intake) });
    // A reset by the peer arrives here; without a listener it would end the process.
    server.on('error', (error: Error) =>
      log.debug('smtp.connection_failed', { network: EMAIL, code: errorCode(error) }),
    );
    this.server = server;
    server.listen(config.listen.port, config.listen.host);
    await once(server.server, 'listening');
  }

  /** Null while not listening. */
  get port(): number | null {
    const address = this.server?.server.address() as AddressInfo | null | undefined;
    return address?.port ?? null;
  }

  /** Takes no more connections, lets mail under way finish, and sends all others away (RFC 5321 §3.8). */
  async stop(): Promise<void> {
    const server = this.server;
    this.server = null;
    if (!server) return;
    const closed = new Promise<void>((resolve) => server.close(resolve));
    for (const { session } of server.connections) {
      if (!this.underWay.has(session)) dismiss(server, session);
    }
    await closed;
  }

  private serverOptions(): SMTPServerOptions {
    const { config, hostname } = this.options;
    const { tls } = config;
    return {
      name: hostname,
      logger: false,
      size: config.maxMessageBytes,
      rejectOversized: true,
      maxRecipients: config.maxRecipients,
      maxClients: config.maxConnections,
      socketTimeout: config.timeouts.idleSeconds * 1_000,
      closeTimeout: config.timeouts.shutdownSeconds * 1_000,
      hideENHANCEDSTATUSCODES: false,
      disableReverseLookup: true,
      authOptional: true,
      disabledCommands: tls ? ['AUTH'] : ['AUTH', 'STARTTLS'],
      ...(tls && { key: readPem(tls.key), cert: readPem(tls.cert) }),
    };
  }

  private handlers(intake: MailIntake): SMTPServerOptions {
    return {
      onConnect: (session, callback) => {
        this.visits.set(session, { accepted: new Map(), unknown: 0 });
        this.keepStatusCodes(session);
        callback();
      },
      onMailFrom: (sender, _session, callback) =>
        callback(this.memory.hasRoomFor(declaredSize(sender)) ? null : this.refusal(noRoom())),
      onRcptTo: ({ address }, session, callback) =>
        void this.answer(this.onRecipient(intake, address, session), callback),
      onData: (stream, session, callback) =>
        void this.answerMail(this.onMail(intake, stream, session), session, callback),
    };
  }

  private async answerMail(work: Promise<string>, session: SMTPServerSession, callback: Callback): Promise<void> {
    const { server } = this;
    this.underWay.add(session);
    await this.answer(work, callback);
    this.underWay.delete(session);
    if (server && server !== this.server) dismiss(server, session); // we stop: this mail was its last one here
  }

  private async answer(work: Promise<string | undefined>, callback: Callback): Promise<void> {
    const [error, text] = await work.then(
      (text) => [null, text] as const,
      (error: unknown) => [this.refusal(error), undefined] as const,
    );
    callback(error, text);
  }

  private refusal(error: unknown): Error {
    const { log } = this.options;
    if (error instanceof GatewayError) log.info('mail.refused', { network: EMAIL, code: error.code });
    else log.error('mail.failed', { network: EMAIL }, error);
    return toSmtpReply(error);
  }

  private async onRecipient(intake: MailIntake, path: string, session: SMTPServerSession): Promise<undefined> {
    const visit = this.visits.get(session)!;
    if (visit.unknown >= MAX_UNKNOWN) {
      throw new MailRefusedError({
        code: 'TOO_MANY_UNKNOWN',
        reason: 'Too many unknown recipients; please come back later.',
      });
    }
    try {
      const recipient = await intake.accept(path, senderOf(session));
      const { mailFrom } = session.envelope;
      if (mailFrom) refuseLarger(declaredSize(mailFrom), intake.maxBytes([recipient]));
      visit.accepted.set(path, recipient);
    } catch (error) {
      if (error instanceof GatewayError && error.kind === 'not-found') visit.unknown += 1;
      throw error;
    }
  }

  /** @returns the text of the 250 answer */
  private async onMail(intake: MailIntake, stream: SMTPServerDataStream, session: SMTPServerSession): Promise<string> {
    const { accepted } = this.visits.get(session)!;
    const recipients = session.envelope.rcptTo.map(({ address }) => accepted.get(address)!);
    const limits = { memory: this.memory, maxBytes: intake.maxBytes(recipients) };
    return withMail(stream, limits, async (raw) => {
      const id = await intake.take({
        raw,
        envelopeFrom: senderOf(session),
        recipients,
        clientIp: session.remoteAddress,
        helo: session.hostNameAppearsAs || session.remoteAddress,
      });
      this.options.log.info('mail.accepted', { network: EMAIL, id, bytes: raw.length });
      return `2.0.0 Ok: ${id}`;
    });
  }

  /** smtp-server derives an enhanced status code from the reply code alone; where our text has one, that one counts. */
  private keepStatusCodes(session: SMTPServerSession): void {
    const connection = [...(this.server?.connections ?? [])].find((each) => each.session === session);
    if (!connection) return;
    const send = connection.send.bind(connection);
    connection.send = (code, text, context) => send(code, text, STATUS.test(String(text)) ? false : context);
  }
}

function dismiss({ connections }: SMTPServer, session: SMTPServerSession): void {
  [...connections].find((each) => each.session === session)?.send(421, GOODBYE, false);
}

/** @throws ConfigError */
function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new ConfigError({ message: `email.tls: the file ${file} cannot be read.`, cause });
  }
}

function senderOf({ envelope }: SMTPServerSession): string {
  return envelope.mailFrom === false ? '' : envelope.mailFrom.address;
}

/** What MAIL FROM says of the mail that will follow (RFC 1870), bytes; 0 if nothing. */
function declaredSize({ args }: SMTPServerAddress): number {
  return args === false ? 0 : Number(args['SIZE'] ?? 0);
}
