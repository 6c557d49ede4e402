import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { NameService } from '../src/naming/name-service.js';
import { ask } from './support/http-answer.js';
import { eventually } from './support/eventually.js';
import { MailServer } from './support/mail-server.js';
import { MixedTraffic } from './support/mixed-traffic.js';
import { secretsIn, type Secret } from './support/secrets.js';
import { SmtpClient } from './support/smtp-client.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const lines: string[] = [];
let gateway: TestGateway;
let traffic: MixedTraffic;

beforeAll(async () => {
  const mailServer = await MailServer.reserve();
  gateway = await TestGateway.create({
    email: { outgoing: { smartHost: mailServer.address } },
    log: { level: 'debug', destination: { write: (line) => void lines.push(line) } },
  });
  traffic = await MixedTraffic.prepare(gateway, mailServer);
  await traffic.begin();
  await bugsHappen();
  await traffic.finish();
  await gateway.stop();
});
afterAll(() => traffic.stop());

/** Errors that nobody foresaw, with everything in their text. */
async function bugsHappen(): Promise<void> {
  const bug = new TypeError(`Cannot read carol@mailbox.example of bob.eth (${gateway.bob.address})`);
  bug.cause = new Error('Damson cheese for the answer');
  const broken = jest.spyOn(gateway.running.app.get(NameService), 'resolveAddress').mockRejectedValue(bug);
  await ask(`${gateway.deliveryServiceUrl}/auth/bob.eth`);
  await traffic.alice.submit(await traffic.alice.envelope({ to: 'bob.eth', text: 'x' }));
  const client = await SmtpClient.connect(gateway.smtpPort);
  await client.recipient(`bob.eth@${DOMAIN}`);
  client.socket.resetAndDestroy();
  await eventually('a delivery to fail', async () => events().some(({ event, code }) => isBug(event, code)));
  broken.mockRestore();
}

const isBug = (event: unknown, code: unknown) => event === 'outbox.failed' && code === 'UNEXPECTED';
const events = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

describe('The log at its most talkative', () => {
  it('tells of everything that happened', () => {
    const told = new Set(events().map(({ event }) => event));
    expect([...told]).toEqual(
      expect.arrayContaining([
        'smtp.listening',
        'gateway.started',
        'mail.accepted',
        'mail.refused',
        'mail.failed',
        'message.received',
        'message.delivered',
        'envelope.submitted',
        'rpc.failed',
        'http.failed',
        'http.request',
        'outbox.failed',
        'gateway.stopped',
      ]),
    );
  });

  it('is JSON, one event a line', () => {
    for (const line of events()) {
      expect(line).toEqual(
        expect.objectContaining({
          level: expect.any(Number),
          time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
          event: expect.stringMatching(/^[a-z]+([.-][a-z_-]+)+$/),
        }),
      );
    }
  });

  it('names nobody and quotes nothing', () => {
    const secrets = new Map<string, Secret>([...traffic.secrets, ...traffic.identities]);
    expect(lines.flatMap((line) => secretsIn(line, secrets).map((what) => `${what}: ${line}`))).toEqual([]);
  });

  it('holds nothing that looks like a name, an address or a token', () => {
    const suspicious = /[\w.-]+@[\w-]|\.eth\b|0x[0-9a-f]{8}|Bearer|\b[0-9a-f]{40}|eyJ[\w-]{5}/i;
    expect(lines.map((line) => line.replace(/"at":\[.*?\]/g, '')).filter((line) => suspicious.test(line))).toEqual([]);
  });

  it('keeps of an unforeseen error where it happened, and not its words', () => {
    const failures = events().filter(({ event }) => event === 'rpc.failed');
    expect(failures).toEqual([
      expect.objectContaining({
        code: 'UNEXPECTED',
        status: 500,
        error: {
          name: 'TypeError',
          at: expect.arrayContaining([expect.stringMatching(/:\d+:\d+\)?$/)]),
          cause: expect.anything(),
        },
      }),
    ]);
    expect(lines.join('')).not.toContain('Cannot read');
  });
});
