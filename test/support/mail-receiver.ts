import { afterEach, expect } from '@jest/globals';
import { emailConfigSchema, type EmailConfigInput } from '../../src/adapters/email/config.js';
import { MailIntake } from '../../src/adapters/email/intake.js';
import { MailReceiver } from '../../src/adapters/email/receiver.js';
import { GatewayError } from '../../src/common/errors.js';
import type { EnsName, EthAddress } from '../../src/common/ids.js';
import type { ForeignMessage, GatewayPort } from '../../src/gateway/adapter/adapter.js';
import { RelayRefusedError } from '../../src/gateway/adapter/errors.js';
import { silentLog } from '../../src/ops/event-log.js';
import { SmtpClient, type MailEnvelope } from './smtp-client.js';

export const SECRET = new Uint8Array(32).fill(3);
export const NOW = Date.parse('2026-11-20T12:00:00Z');
export const BASIC = 'From: alice@example.com\r\nMessage-ID: <1@example.com>\r\nSubject: Hi\r\n\r\nHello\r\n';

/** A core that knows most names, and remembers what it took. */
export class FakePort implements GatewayPort {
  readonly received: ForeignMessage[] = [];
  readonly failures: Parameters<GatewayPort['reportFailure']>[0][] = [];
  refusal: Error | null = null;
  /** Of every receiver. */
  sizeLimit: number | null = null;
  linkedBytes = 0;

  async lookup(receiver: string) {
    if (receiver === 'relay.eth') throw new RelayRefusedError();
    if (receiver === 'slow.eth')
      throw new GatewayError({ code: 'NAMING_UNAVAILABLE', kind: 'unavailable', message: 'Later.', retryable: true });
    if (receiver.startsWith('no'))
      throw new GatewayError({ code: 'NAME_NOT_FOUND', kind: 'not-found', message: `Nobody is called ${receiver}.` });
    const name = receiver.toLowerCase();
    const address = `0x${Buffer.from(name).toString('hex').padStart(40, '0').slice(-40)}`;
    return {
      name: name as EnsName,
      address: address as EthAddress,
      sizeLimit: this.sizeLimit,
      linkedBytes: this.linkedBytes,
    };
  }

  async receive(message: ForeignMessage) {
    if (this.refusal) throw this.refusal;
    this.received.push(message);
    return { status: 'accepted', id: `id-${this.received.length}` } as const;
  }

  async reportFailure(report: Parameters<GatewayPort['reportFailure']>[0]) {
    this.failures.push(report);
  }
}

/** To be undone after the test. */
export const stops: (() => Promise<void>)[] = [];
afterEach(async () => void (await Promise.all(stops.splice(0).map((stop) => stop()))));

/** The SMTP server over such a core. */
export async function startMailReceiver(settings: Partial<EmailConfigInput> = {}) {
  const port = new FakePort();
  const config = emailConfigSchema.parse({
    domains: ['mail.test'],
    listen: { host: '127.0.0.1', port: 0 },
    ...settings,
  });
  const receiver = new MailReceiver({ config, hostname: 'mail.test', log: silentLog });
  const identity = { verdict: 'unverified', detail: 'SPF none' } as const;
  const authenticate = async () => ({ identity, dmarcFailed: false, bounceable: true });
  await receiver.start(new MailIntake({ config, port, secret: SECRET, clock: { now: () => NOW }, authenticate }));
  const clients: SmtpClient[] = [];
  stops.push(async () => {
    clients.forEach((each) => each.close());
    await receiver.stop();
  });
  const client = async () => {
    const client = await SmtpClient.connect(receiver.port!);
    clients.push(client);
    return client;
  };
  return { port, receiver, client };
}

/** One mail, whose end is part of `data`, however that is written. */
export async function mail(client: SmtpClient, data: string, envelope: Partial<MailEnvelope> = {}): Promise<string> {
  await begin(client, envelope);
  client.write(data);
  return client.reply();
}

/** Up to DATA, which is granted. */
export async function begin(client: SmtpClient, envelope: Partial<MailEnvelope> = {}): Promise<void> {
  expect(await client.begin({ from: 'alice@example.com', to: 'bob.eth@mail.test', ...envelope })).toBeNull();
}
