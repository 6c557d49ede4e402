import { simpleParser, type ParsedMail } from 'mailparser';
import { createTransport, type SendMailOptions } from 'nodemailer';
import type { DnsResolver } from '../../src/adapters/email/dns.js';
import { LOOPBACK } from '../../src/sandbox/ports.js';
import type { CapturedMessage } from '../../src/sandbox/captured-mail.js';
import { eventually } from './eventually.js';
import type { TestGateway } from './test-gateway.js';

/** A mail that left the gateway, as its receiver's mail program shows it. */
export interface ArrivedMail extends ParsedMail {
  readonly captured: CapturedMessage;
}

/** A world in which example.org has its mail sent from this machine, and nobody publishes anything else. */
export const exampleDns: DnsResolver = async (name, type) => {
  if (name === 'example.org' && type === 'TXT') return [['v=spf1 ip4:127.0.0.1 -all']];
  throw Object.assign(new Error('no such record'), { code: 'ENOTFOUND' });
};

/** Any mail program, pointed at the gateway's SMTP server. @returns the Message-ID */
export async function sendMail(gateway: TestGateway, mail: SendMailOptions): Promise<string> {
  const transport = createTransport({ host: LOOPBACK, port: gateway.smtpPort, ignoreTLS: true });
  const { messageId } = await transport.sendMail({ from: 'Dora <dora@example.org>', subject: 'Hello', ...mail });
  return messageId;
}

/** All mail that has left for a mailbox, oldest first. */
export async function mailFor(gateway: TestGateway, address: string): Promise<ArrivedMail[]> {
  const captured = (await gateway.sentMail()).filter(({ to }) => to.includes(address));
  return Promise.all(captured.map(async (mail) => ({ ...(await simpleParser(mail.raw)), captured: mail })));
}

/** Waits for the mail to that mailbox whose text holds these words. */
export function arrivedMail(gateway: TestGateway, address: string, words: string): Promise<ArrivedMail> {
  return eventually(`a mail with "${words}" for ${address}`, async () =>
    (await mailFor(gateway, address)).find(({ text }) => text?.includes(words)),
  );
}
