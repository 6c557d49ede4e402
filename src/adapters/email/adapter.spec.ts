import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createTransport } from 'nodemailer';
import { SMTPServer } from 'smtp-server';
import type { EnsName, EthAddress, ForeignAddress, RemoteId } from '../../common/ids.js';
import {
  sendsChallenges,
  sendsNotices,
  type ForeignMessage,
  type GatewayPort,
  type OutgoingMessage,
} from '../../gateway/adapter/adapter.js';
import { silentLog } from '../../ops/event-log.js';
import { EmailAdapter } from './adapter.js';
import { emailConfigSchema } from './config.js';
import type { DnsResolver } from './dns.js';

const NOW = Date.parse('2026-11-20T12:00:00Z');
const BOB = { name: 'bob.eth' as EnsName, address: `0x${'b'.repeat(40)}` as EthAddress };
const ALICE = 'mailto:alice@example.com' as ForeignAddress;

/** Alice's domain: its mail server is `port` on this machine. */
const dns: DnsResolver = async (name, rrtype) => {
  if (name === 'example.com' && rrtype === 'MX') return [{ exchange: 'mx.example.com', priority: 1 }];
  if (name === 'mx.example.com' && rrtype === 'A') return ['127.0.0.1'];
  if (name === 'example.com' && rrtype === 'TXT') return [['v=spf1 ip4:127.0.0.1 -all']];
  throw Object.assign(new Error('none'), { code: 'ENOTFOUND' });
};

describe('EmailAdapter', () => {
  const inbox: { from: string; raw: Buffer }[] = [];
  const received: ForeignMessage[] = [];
  const lookups: Parameters<GatewayPort['lookup']>[] = [];
  const failures: Parameters<GatewayPort['reportFailure']>[0][] = [];
  const port: GatewayPort = {
    lookup: async (...asked) => {
      lookups.push(asked);
      return { ...BOB, sizeLimit: null };
    },
    receive: async (message) => {
      received.push(message);
      return { status: 'accepted', id: 'an-id' };
    },
    reportFailure: async (report) => void failures.push(report),
  };
  let alice: SMTPServer;
  let adapter: EmailAdapter;

  beforeEach(async () => {
    for (const list of [inbox, received, lookups, failures]) list.length = 0;
    alice = new SMTPServer({
      logger: false,
      disableReverseLookup: true,
      authOptional: true,
      closeTimeout: 100,
      onData: (stream, { envelope }, callback) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          inbox.push({ from: (envelope.mailFrom as { address: string }).address, raw: Buffer.concat(chunks) });
          callback();
        });
      },
    });
    alice.listen(0, '127.0.0.1');
    await once(alice.server, 'listening');
    const config = emailConfigSchema.parse({
      domains: ['mail.test'],
      listen: { host: '127.0.0.1', port: 0 },
      outgoing: { port: (alice.server.address() as AddressInfo).port, allowPrivate: true, timeoutSeconds: 5 },
      timeouts: { shutdownSeconds: 1 },
    });
    adapter = new EmailAdapter({
      config,
      log: silentLog,
      clock: { now: () => NOW },
      secret: new Uint8Array(32).fill(9),
      resolver: dns,
    });
    await adapter.start(port);
  });
  afterEach(async () => {
    await adapter.stop();
    await new Promise<void>((resolve) => alice.close(resolve));
  });

  async function write(mail: Parameters<ReturnType<typeof createTransport>['sendMail']>[0]): Promise<string> {
    const transport = createTransport({ host: '127.0.0.1', port: adapter.listeningPort!, name: 'mx.example.com' });
    const { response } = await transport.sendMail({
      from: 'Alice <alice@example.com>',
      to: 'bob.eth@mail.test',
      text: 'hello',
      ...mail,
    });
    return response;
  }

  const answer = (message: ForeignMessage): OutgoingMessage => ({
    id: 'cd'.repeat(32),
    from: BOB,
    to: message.from,
    message: { type: 'reply', text: 'hello back', attachments: [], sentAt: NOW },
    conversation: message.conversation,
    target: message.remoteId,
  });

  it('brings a mail in and its answer back into the thread', async () => {
    expect(await write({ subject: 'Lunch' })).toBe('250 2.0.0 Ok: an-id');
    const [message] = received;
    expect(message).toMatchObject({
      from: ALICE,
      to: [BOB],
      identity: { verdict: 'verified' },
      message: { text: 'hello' },
    });
    const rendering = await adapter.render(answer(message!));
    await adapter.send(rendering);
    const raw = inbox[0]!.raw.toString();
    expect(raw).toContain('From: "bob.eth" <bob.eth@mail.test>');
    expect(raw).toContain('Subject: Re: Lunch');
    expect(raw).toContain(`In-Reply-To: ${message!.remoteId}`);
    await write({ inReplyTo: rendering.remoteIds[0] });
    expect(received[1]).toMatchObject({ inReplyTo: rendering.remoteIds });
  });

  it('sends the same bytes on a retry', async () => {
    await write({});
    const rendering = await adapter.render(answer(received[0]!));
    await adapter.send(rendering);
    await adapter.send(rendering);
    expect(inbox[1]!.raw.equals(inbox[0]!.raw)).toBe(true);
  });

  it('says who is sending before it has the mail', async () => {
    await write({ envelope: { from: 'Alice@example.com', to: 'bob.eth@mail.test' } });
    expect(lookups).toEqual([['bob.eth', 'mailto:Alice@example.com']]);
  });

  it('brings a challenge to a mailbox, but to none of its own', async () => {
    const challenge = { id: 'ef'.repeat(32), subject: 'Yours?', text: 'Your code is 12345.\n' };
    expect(sendsChallenges(adapter)).toBe(true);
    await adapter.sendChallenge({ ...challenge, to: ALICE });
    expect(inbox).toMatchObject([{ from: '' }]);
    expect(inbox[0]!.raw.toString()).toMatch(/^To: alice@example\.com\r$[^]*^Subject: Yours\?\r$[^]*code is 12345/m);
    const own = adapter.sendChallenge({ ...challenge, to: 'mailto:bob.eth@mail.test' as ForeignAddress });
    await expect(own).rejects.toMatchObject({ code: 'BAD_ADDRESS', retryable: false });
  });

  it('marks a sender who cannot be verified and still takes the mail', async () => {
    await write({ from: 'boss@bank.test', envelope: { from: 'alice@example.com', to: 'bob.eth@mail.test' } });
    expect(received[0]).toMatchObject({
      identity: { verdict: 'unverified', detail: 'SPF pass, DKIM none, DMARC none' },
    });
  });

  it('learns of a bounce from the address it sent from', async () => {
    await write({});
    const rendering = await adapter.render(answer(received[0]!));
    await adapter.send(rendering);
    await write({ envelope: { from: '', to: inbox[0]!.from }, text: 'no such user' });
    expect(failures).toMatchObject([{ remoteId: rendering.remoteIds[0], code: 'BOUNCED' }]);
  });

  it('tells the author when his mail did not arrive', async () => {
    await write({ subject: 'Lunch' });
    const notice = {
      id: 'ef'.repeat(32),
      to: ALICE,
      receiver: 'bob.eth',
      about: received[0]!.remoteId as RemoteId,
      status: 'failed' as const,
      reason: { code: 'EXPIRED', text: 'It could not be delivered for five days.' },
      conversation: received[0]!.conversation,
    };
    expect(sendsNotices(adapter)).toBe(true);
    await adapter.send((await adapter.renderNotice(notice))!);
    expect(inbox[0]!.from).toBe('');
    expect(inbox[0]!.raw.toString()).toContain('Status: 5.4.7');
  });

  it('knows its addresses and its abilities', () => {
    expect(adapter.owns(ALICE)).toBe(true);
    expect(adapter.owns('matrix:u/alice:hs.org' as ForeignAddress)).toBe(false);
    expect(adapter.formatAddress(ALICE)).toBe('alice@example.com');
    expect(adapter.destinationOf('mailto:x@BÜCHER.example' as ForeignAddress)).toBe('xn--bcher-kva.example');
    expect(adapter.capabilities().types).toMatchObject({ new: 'full', reaction: 'fallback', delete: 'rejected' });
  });

  it('is up while it listens', async () => {
    expect(await adapter.health()).toEqual({ status: 'up' });
    await adapter.stop();
    expect(await adapter.health()).toMatchObject({ status: 'down' });
    expect(adapter.listeningPort).toBeNull();
  });
});
