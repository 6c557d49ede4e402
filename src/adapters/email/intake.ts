import type { Clock } from '../../common/clock.js';
import type { NetworkId, RemoteId } from '../../common/ids.js';
import type { GatewayPort, Target } from '../../gateway/adapter/adapter.js';
import { parseMailbox, parseRecipient, toForeign } from './address.js';
import type { Authentication, MailToCheck } from './authentication.js';
import type { EmailConfig } from './config.js';
import { readDeliveryReport } from './delivery-report.js';
import { MailRefusedError } from './errors.js';
import { fromEmail } from './from-email.js';
import { isOwnLoopMark, LOOP_HEADER } from './loop.js';
import { ownMessageId } from './message-id.js';
import { refuseBareLineEnds, refuseLoops, splitMail } from './raw-mail.js';
import { readBounceToken } from './verp.js';

export const EMAIL = 'email' as NetworkId;

/** A mail may be larger than the dm3 message it becomes: quoted-printable writes three bytes for one, */
const MAIL_PER_ENVELOPE = 3;
/** and its header, and the HTML that says the same as its text, are left out. */
const LEFT_OUT_BYTES = 1_048_576;

interface Accepted {
  readonly kind: 'target';
  readonly target: Target;
  readonly domain: string;
}

/** The address for delivery reports about a message of ours. */
interface Bounce {
  readonly kind: 'bounce';
  readonly about: RemoteId;
}

/** A recipient that was accepted at RCPT. */
export type AcceptedRecipient = Accepted | Bounce;

/** A mail as DATA brought it. */
export interface ReceivedMail {
  readonly raw: Buffer;
  /** Empty for the null sender. */
  readonly envelopeFrom: string;
  readonly recipients: readonly AcceptedRecipient[];
  readonly clientIp: string;
  readonly helo: string;
}

export interface IntakeOptions {
  readonly config: EmailConfig;
  readonly port: GatewayPort;
  readonly secret: Uint8Array;
  readonly clock: Clock;
  readonly authenticate: (mail: MailToCheck) => Promise<Authentication>;
}

/** Bytes of a mail. */
function mailLimit({ sizeLimit, linkedBytes = 0 }: Target): number {
  return sizeLimit === null ? Infinity : (sizeLimit + linkedBytes) * MAIL_PER_ENVELOPE + LEFT_OUT_BYTES;
}

/** Decides about recipients and mails, whatever connection they come over. Every refusal is thrown. */
export class MailIntake {
  constructor(private readonly options: IntakeOptions) {}

  /** @throws MailRefusedError, and what the core's look-up throws */
  async accept(path: string, envelopeFrom: string): Promise<AcceptedRecipient> {
    const recipient = parseRecipient(path, this.options.config.domains);
    const { domain } = recipient;
    if (recipient.kind === 'bounce') {
      return { kind: 'bounce', about: this.bouncedMessage(recipient, envelopeFrom) };
    }
    if (recipient.kind === 'operator') {
      return { kind: 'target', target: await this.operator(), domain };
    }
    if (envelopeFrom === '') {
      const reason = 'Delivery reports go to the address in MAIL FROM of the mail they are about; this is not one.';
      throw new MailRefusedError({ code: 'NULL_SENDER', reason });
    }
    const from = parseMailbox(envelopeFrom);
    const target = await this.options.port.lookup(recipient.receiver, from === null ? undefined : toForeign(from));
    return { kind: 'target', target, domain };
  }

  /** Largest mail that may still fit into what all of these take, bytes. */
  maxBytes(recipients: readonly AcceptedRecipient[]): number {
    const limits = recipients.map((each) => (each.kind === 'target' ? mailLimit(each.target) : Infinity));
    return Math.min(this.options.config.maxMessageBytes, ...limits);
  }

  /**
   * Takes the mail over for all its recipients.
   * @returns our id, for the answer
   * @throws MailRefusedError, and what the core throws
   */
  async take(mail: ReceivedMail): Promise<string> {
    refuseBareLineEnds(mail.raw);
    const isOwnMark = (value: string) => isOwnLoopMark(this.options.secret, value);
    refuseLoops(splitMail(mail.raw).header, { isOwnMark, markHeader: LOOP_HEADER });
    const bounces = mail.recipients.filter((recipient) => recipient.kind === 'bounce');
    const targets = mail.recipients.filter((recipient) => recipient.kind === 'target');
    if (bounces.length > 0) await this.report(mail.raw, bounces);
    const [first] = targets;
    return first ? this.deliver(mail, first.domain, targets) : 'noted';
  }

  private bouncedMessage({ token, domain }: { token: string; domain: string }, envelopeFrom: string): RemoteId {
    const { secret, clock } = this.options;
    const id = readBounceToken(secret, { token, domain, at: clock.now() });
    if (envelopeFrom !== '' || id === null) {
      const reason = 'This address takes only delivery reports about mail that we sent in the last days.';
      throw new MailRefusedError({ code: 'NOT_A_BOUNCE', reason });
    }
    return ownMessageId(id, domain);
  }

  private operator(): Promise<Target> {
    const { config, port } = this.options;
    if (config.operator === undefined) {
      const reason = 'The operator of this gateway has not set up a mailbox for postmaster and abuse.';
      throw new MailRefusedError({ code: 'NO_MAILBOX', reason });
    }
    return port.lookup(config.operator);
  }

  private async report(raw: Buffer, bounces: readonly Bounce[]): Promise<void> {
    const report = await readDeliveryReport(raw);
    if (report.kind === 'auto-reply') {
      throw new MailRefusedError({
        code: 'NOT_A_BOUNCE',
        reason: 'This address takes delivery reports, not automatic answers.',
      });
    }
    if (report.kind === 'progress') return;
    for (const { about } of bounces) {
      await this.options.port.reportFailure({ network: EMAIL, remoteId: about, code: 'BOUNCED', text: report.text });
    }
  }

  private async deliver(received: ReceivedMail, domain: string, accepted: readonly Accepted[]): Promise<string> {
    const { raw, envelopeFrom, clientIp, helo } = received;
    const { clock, authenticate, port } = this.options;
    const mail = await fromEmail(raw, { from: envelopeFrom, domain, receivedAt: clock.now() });
    const author = mail.context.peer.address;
    const { identity, dmarcFailed, bounceable } = await authenticate({ raw, author, envelopeFrom, clientIp, helo });
    const { from, remoteId, message, inReplyTo, dedup } = mail;
    const { id } = await port.receive({
      network: EMAIL,
      remoteId,
      from,
      identity,
      to: [...new Map(accepted.map(({ target }) => [target.address, target])).values()],
      message,
      dedup,
      inReplyTo,
      conversation: { ...mail.context, dmarcFailed, bounceable },
      isBulk: mail.context.auto,
    });
    return id;
  }
}
