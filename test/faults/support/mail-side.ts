import { simpleParser } from 'mailparser';
import { MailServer, type TakenMail } from '../../support/mail-server.js';
import { SmtpClient } from '../../support/smtp-client.js';
import { DOMAIN } from '../../support/test-gateway.js';
import { lastParagraph, type Arrival, type ForeignSide, type Letter } from './letters.js';
import { firstFails } from './patience.js';

const HOME = 'example.org';
/** Its mail comes from this machine, so that its people may be told what failed. */
export const ZONE = { [HOME]: { TXT: [['v=spf1 ip4:127.0.0.1 -all']] } };

/** The people of example.org and their mail server. */
export class MailSide implements ForeignSide {
  readonly where = 'mail';
  readonly neverRepeats = false;
  readonly network = 'email';
  readonly peer = 'mail';
  /** Also `nobody` is somebody now. */
  everybodyExists = false;
  readonly #read = new Map<TakenMail, Arrival>();

  private constructor(
    readonly server: MailServer,
    /** The service's own mail server. */
    private readonly doorPort: number,
  ) {}

  static async start(doorPort: number): Promise<MailSide> {
    const server = await MailServer.reserve();
    await server.start();
    const isFirstToFail = firstFails();
    server.onAttempt = () => {
      if (server.mood === 'shuts') return;
      server.mood = isFirstToFail(server.attempts.at(-1)!.raw) ? 'defers' : 'takes';
    };
    const side = new MailSide(server, doorPort);
    server.knows = (address) => side.everybodyExists || !address.startsWith('nobody@');
    return side;
  }

  aliasOf(person: string): string {
    return `${person}._at.${HOME}.email.gateway.eth`;
  }

  write(author: string, receiver: string, text: string): Pick<Letter, 'id' | 'handIn'> {
    const from = `${author}@${HOME}`;
    const id = `<${Buffer.from(text).toString('hex')}@${HOME}>`;
    const mail = [`From: <${from}>`, 'Subject: Letter', `Message-ID: ${id}`, '', text, ''].join('\r\n');
    const handIn = async () => {
      const client = await SmtpClient.connect(this.doorPort);
      const reply = await client.deliver(mail, { from, to: `${receiver}.eth@${DOMAIN}` });
      client.close();
      if (!reply.startsWith('250 ')) throw new Error(`The mail was not taken: ${reply}`);
    };
    return { id, handIn };
  }

  async all(): Promise<readonly Arrival[]> {
    return Promise.all(this.server.mails.map((mail) => this.#arrival(mail)));
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  async #arrival(mail: TakenMail): Promise<Arrival> {
    const known = this.#read.get(mail);
    if (known) return known;
    const { messageId, inReplyTo, text } = await simpleParser(mail.raw);
    const noticeAbout = mail.from === '' ? inReplyTo! : null; // RFC 3464: reports have no sender
    const arrival = { key: messageId!, body: mail.raw, text: lastParagraph(text!), noticeAbout };
    this.#read.set(mail, arrival);
    return arrival;
  }
}
