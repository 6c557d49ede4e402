import { randomBytes } from 'node:crypto';
import type { Message } from '@dm3-org/dm3-lib-messaging';
import type { SendMailOptions } from 'nodemailer';
import type { TestGatewayOptions } from './test-gateway.js';
import { HEAD_BYTES, openChunks, readHead, readKey } from '../../src/gateway/attachments/page/unseal.js';
import type { Person } from '../../src/sandbox/people.js';
import { RealClient } from './dm3-lib.js';
import { eventually } from './eventually.js';
import { startForeignService, type ForeignService } from './foreign-service.js';
import { linksIn, type FoundLink } from './linked-files.js';
import { exampleDns, sendMail } from './mail.js';
import { DOMAIN, TestGateway } from './test-gateway.js';

/** What real delivery services take. */
export const LIMIT = 100_000;
const ATTACHMENTS = {
  enabled: true,
  maxBytes: 8_000_000,
  maxBytesPerMessage: 12_000_000,
  receiverBytesPerDay: 20_000_000,
  quotaBytes: 60_000_000,
};
export const DAVE = `dave.eth@${DOMAIN}`;
export const FILM = randomBytes(5_242_880);
/** Five chunks and a little, and less than is taken elsewhere. */
export const CLIP = randomBytes(1_320_000);
export const film = { filename: 'Film vom Sommer 🎬.mp4', content: FILM, contentType: 'video/mp4' };
export const clip = { ...film, content: CLIP };

/** A gateway that keeps large files, and dave, whose delivery service is somebody else's and takes little. */
export class AttachmentWorld {
  #mails = 0;

  private constructor(
    readonly gateway: TestGateway,
    readonly service: ForeignService,
    readonly dave: RealClient,
  ) {}

  static async create(options: TestGatewayOptions = {}): Promise<AttachmentWorld> {
    const gateway = await TestGateway.create({ dns: exampleDns, settings: { attachments: ATTACHMENTS }, ...options });
    const service = await startForeignService(gateway, { name: 'ds.small.eth', sizeLimit: LIMIT });
    const dave = await gateway.addPerson('dave.eth', { deliveryService: service.name });
    return new AttachmentWorld(gateway, service, await RealClient.create(gateway, dave));
  }

  /** Nothing is kept, so that quotas are for each test. */
  async empty(): Promise<void> {
    this.service.mood = 'takes';
    await this.gateway.db.query('DELETE FROM attachment');
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    await this.service.stop();
  }

  addPerson(name: string, deliveryService: string): Promise<Person> {
    return this.gateway.addPerson(name, { deliveryService });
  }

  /** Waits for a message at a foreign delivery service, and opens it with the client's library. */
  received(words: string, reader = this.dave, from = this.service): Promise<Message> {
    return eventually(`a message with "${words}"`, async () => {
      const opened = from.envelopes.map((envelope) => reader.openMessage(envelope).catch(() => null));
      return (await Promise.all(opened)).find((each) => each?.message?.includes(words));
    });
  }

  /** Sends dave a mail with files and reads what becomes of it. */
  async delivered(mail: SendMailOptions = {}): Promise<{ message: Message; links: FoundLink[] }> {
    this.#mails += 1;
    const words = `Mail number ${this.#mails}.`;
    const text = `${words}\n\n${String(mail.text ?? '')}`;
    await sendMail(this.gateway, { to: DAVE, attachments: [film], ...mail, text });
    const message = await this.received(words);
    return { message, links: linksIn(message.message!) };
  }

  /** A new one, to a file that somebody mailed. */
  async linkTo(file: Partial<typeof clip> = {}): Promise<FoundLink> {
    return (await this.delivered({ attachments: [{ ...clip, ...file }] })).links[0]!;
  }

  async filesKept(): Promise<number> {
    return (await this.gateway.db.query('SELECT 1 FROM attachment')).length;
  }

  async expireAll(): Promise<void> {
    await this.gateway.db.query(`UPDATE attachment SET expires_at = now() - interval '1 second'`);
  }
}

export async function bytesOf(url: string, headers: Record<string, string> = {}): Promise<Buffer> {
  return Buffer.from(await (await fetch(url, { headers })).arrayBuffer());
}

/** What the page makes of it. */
export async function unsealed({
  dataUrl,
  key: text,
}: FoundLink): Promise<{ name: string; type: string; content: Buffer }> {
  const sealed = await bytesOf(dataUrl);
  const key = await readKey(text);
  const head = await readHead(key, sealed.subarray(0, HEAD_BYTES));
  const chunks: Uint8Array[] = [];
  for await (const chunk of openChunks(key, head, [sealed.subarray(HEAD_BYTES)])) chunks.push(chunk);
  return { name: head.name, type: head.type, content: Buffer.concat(chunks) };
}
