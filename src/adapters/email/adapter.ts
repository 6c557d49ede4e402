import type { Clock } from '../../common/clock.js';
import type { ForeignAddress } from '../../common/ids.js';
import type {
  Adapter,
  AdapterHealth,
  Capabilities,
  ChallengeSender,
  GatewayPort,
  NoticeSender,
  OutgoingChallenge,
  OutgoingMessage,
  OutgoingNotice,
  Rendering,
} from '../../gateway/adapter/adapter.js';
import { DeliveryFailedError } from '../../gateway/adapter/errors.js';
import type { EventLog } from '../../ops/event-log.js';
import { asciiDomain, formatMailbox, isMailto } from './address.js';
import { checkAuthentication } from './authentication.js';
import type { EmailConfig } from './config.js';
import { loadDkimKey } from './dkim.js';
import type { DnsResolver } from './dns.js';
import { EMAIL, MailIntake, type IntakeOptions } from './intake.js';
import { toNotice } from './notice.js';
import { notifiableMailbox, toNotification, type Notification } from './notification.js';
import { MailReceiver } from './receiver.js';
import { decodeMail } from './rendering.js';
import { MailSender } from './sender.js';
import { toEmail, type RenderOptions } from './to-email.js';

const AUTHENTICATION_MS = 10_000;
/** What most mail servers still take, once base64 has made it a third larger. */
const MAX_ATTACHMENT_BYTES = 18_000_000;
const MAX_TEXT_BYTES = 1_000_000;

export interface EmailAdapterOptions {
  readonly config: EmailConfig;
  readonly log: EventLog;
  readonly clock: Clock;
  /** 32 bytes that stay the same over restarts: they authenticate bounce addresses and loop marks. */
  readonly secret: Uint8Array;
  readonly resolver: DnsResolver;
}

/** Mail in over our own SMTP server, mail out to the receiver's. */
export class EmailAdapter implements Adapter, NoticeSender, ChallengeSender {
  readonly network = EMAIL;
  private readonly receiver: MailReceiver;
  private readonly sender: MailSender;
  private readonly hostname: string;
  private readonly rendering: RenderOptions;

  /** @throws ConfigError if the DKIM key cannot be used */
  constructor(private readonly options: EmailAdapterOptions) {
    const { config, log, resolver, secret } = options;
    this.hostname = config.hostname ?? config.domains[0]!;
    this.receiver = new MailReceiver({ config, hostname: this.hostname, log });
    this.sender = new MailSender({ config: config.outgoing, hostname: this.hostname, resolver });
    this.rendering = { domains: config.domains, secret, dkim: loadDkimKey(config.dkim), footer: config.footer };
  }

  owns(address: ForeignAddress): boolean {
    return isMailto(address);
  }

  formatAddress(address: ForeignAddress): string {
    return formatMailbox(address);
  }

  capabilities(): Capabilities {
    return {
      types: {
        new: 'full',
        reply: 'full',
        edit: 'partial',
        reaction: 'fallback',
        delete: 'rejected',
        'read-received': 'dropped',
        'read-opened': 'dropped',
      },
      attachments: 'full',
      maxAttachmentBytes: MAX_ATTACHMENT_BYTES,
      maxTextBytes: MAX_TEXT_BYTES,
    };
  }

  destinationOf(address: ForeignAddress): string {
    return asciiDomain(formatMailbox(address)) ?? 'invalid';
  }

  async start(port: GatewayPort): Promise<void> {
    const { config, secret, clock, resolver } = this.options;
    const checks = { resolver, hostname: this.hostname, timeoutMs: AUTHENTICATION_MS };
    const authenticate: IntakeOptions['authenticate'] = (mail) => checkAuthentication(mail, checks);
    this.sender.start();
    await this.receiver.start(new MailIntake({ config, port, secret, clock, authenticate }));
    this.options.log.info('smtp.listening', { network: EMAIL, port: this.receiver.port ?? 0 });
  }

  async stop(): Promise<void> {
    const patienceMs = this.options.config.timeouts.shutdownSeconds * 1_000;
    await Promise.all([this.receiver.stop(), this.sender.stop(patienceMs)]);
  }

  /** The SMTP port that was opened; null while stopped. */
  get listeningPort(): number | null {
    return this.receiver.port;
  }

  async health(): Promise<AdapterHealth> {
    return this.receiver.port === null
      ? { status: 'down', detail: 'The SMTP server is not listening.' }
      : { status: 'up' };
  }

  async render(outgoing: OutgoingMessage): Promise<Rendering> {
    return toEmail(outgoing, { ...this.rendering, now: this.options.clock.now() });
  }

  async renderNotice(notice: OutgoingNotice): Promise<Rendering | null> {
    return toNotice(notice, { ...this.rendering, now: this.options.clock.now() });
  }

  async send(rendering: Rendering): Promise<void> {
    await this.sender.send(decodeMail(rendering.body));
  }

  async sendChallenge({ to, ...challenge }: OutgoingChallenge): Promise<void> {
    const mailbox = this.parseMailbox(formatMailbox(to));
    if (mailbox !== null) return this.sendNotification({ ...challenge, to: mailbox });
    const reason = 'The address is none, or one of this gateway itself; use the address of your mailbox elsewhere.';
    throw new DeliveryFailedError({ code: 'BAD_ADDRESS', reason, retryable: false });
  }

  /** The mailbox as `sendNotification` takes it; null for what is none, and for ours. */
  parseMailbox(text: string): string | null {
    return notifiableMailbox(text, this.options.config.domains);
  }

  /** Sends a mail of our own, on nobody's behalf. @throws DeliveryFailedError */
  async sendNotification(notification: Notification): Promise<void> {
    await this.sender.send(await toNotification(notification, { ...this.rendering, now: this.options.clock.now() }));
  }
}
