import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EnsPlugin, JsonRpcProvider, Network } from 'ethers';
import type { EthAddress } from '../src/common/ids.js';
import { parseMessage, verifyMessage } from '../src/protocol/envelope/message.js';
import { parseRecord } from '../src/protocol/profile/record.js';
import { isSignedBy, parseUserProfile } from '../src/protocol/profile/user-profile.js';
import { DIALECTS, messaging, RealClient, shared } from './support/dm3-lib.js';
import { arrivedMail, exampleDns, sendMail } from './support/mail.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const BOB = `bob.eth@${DOMAIN}`;
const DORA = 'dora._at.example.org.email.gateway.eth';

let gateway: TestGateway;
let bob: RealClient;
beforeAll(async () => {
  gateway = await TestGateway.create({ dns: exampleDns });
  bob = await RealClient.create(gateway, gateway.bob);
});
afterAll(() => gateway.stop());

describe('a mail to an ENS name', () => {
  it('is read, with its signature and postmark in order, by a client made of the published libraries', async () => {
    await sendMail(gateway, { to: BOB, subject: 'The meadow', text: 'The grass is tall.\n\nShall we mow it?' });

    const received = await bob.receive('grass');
    const { message, envelope } = received;
    expect(message).toMatchObject({
      message: '**The meadow**\n\nThe grass is tall.\n\nShall we mow it?',
      metadata: { type: 'NEW', from: DORA, to: 'bob.eth' },
    });
    expect(envelope.metadata.deliveryInformation).toEqual({ from: DORA, to: 'bob.eth' });
    expect(await bob.isSignedBySender(received)).toBe(true);
    expect(await bob.isPostmarked(received)).toBe(true);
    expect(shared.validateSchema(messaging.schema.MessageSchema, message)).toBe(true);
  });

  it.each([
    ['with a tag', `bob.eth+garden@${DOMAIN}`],
    ['in capitals', `BOB.ETH@${DOMAIN}`],
    ['in quotes', `"bob.eth"@${DOMAIN}`],
  ])('reaches its owner %s', async (how, to) => {
    await sendMail(gateway, { to, text: `written ${how}` });
    expect((await bob.receive(`written ${how}`)).message.metadata.to).toBe('bob.eth');
  });

  it('reaches a subdomain', async () => {
    const person = await gateway.addPerson('sub.alice.eth', { signUp: true });
    const sub = await RealClient.create(gateway, person);
    await sendMail(gateway, { to: `sub.alice.eth@${DOMAIN}`, text: 'down there' });

    const received = await sub.receive('down there');
    expect(received.message.metadata.to).toBe('sub.alice.eth');
    expect(await sub.isSignedBySender(received)).toBe(true);
  });

  it('that is HTML only is read as Markdown', async () => {
    const html = '<h1>News</h1><p>Read <b>this</b> <a href="https://example.org/a">page</a>.</p><ul><li>one</li></ul>';
    await sendMail(gateway, { to: BOB, html });
    const { message } = await bob.receive('# News');
    expect(message.message).toBe('**Hello**\n\n# News\n\nRead **this** [page](https://example.org/a).\n\n-   one');
  });

  it('brings its attachments along, byte for byte', async () => {
    const content = Buffer.concat([Buffer.from([0, 255, 13, 10, 10, 13]), randomBytes(50_000)]);
    const attachments = [{ filename: 'Wiese für Bob.bin', contentType: 'application/x-meadow', content }];
    await sendMail(gateway, { to: BOB, text: 'see the picture', attachments });

    const received = await bob.receive('see the picture');
    const data = `data:application/x-meadow;base64,${content.toString('base64')}`;
    expect(received.message.attachments).toEqual([{ name: 'Wiese für Bob.bin', data }]);
    expect(await bob.isSignedBySender(received)).toBe(true);
  });

  it('to two receivers becomes one message for each', async () => {
    const alice = await RealClient.create(gateway, gateway.alice);
    await sendMail(gateway, { to: [BOB, `alice.eth@${DOMAIN}`], text: 'to you both' });

    const toBob = await bob.receive('to you both');
    const toAlice = await alice.receive('to you both');
    expect([toBob.message.metadata.to, toAlice.message.metadata.to]).toEqual(['bob.eth', 'alice.eth']);
    expect(await alice.isSignedBySender(toAlice)).toBe(true);
    for (const client of [bob, alice]) {
      const copies = (await client.incoming()).filter(({ message }) => message.message?.includes('to you both'));
      expect(copies).toHaveLength(1);
    }
  });

  it('says in its first line if its sender could not be verified', async () => {
    await sendMail(gateway, { from: 'mallory@example.com', to: BOB, text: 'believe me' });
    const { message } = await bob.receive('believe me');
    expect(message.message).toMatch(/^⚠ Unverified sender \(SPF none, DKIM none, DMARC none\)\n/);
  });
});

describe('the alias name of a mailbox', () => {
  it('has an address and a profile that the published library accepts as its owner’s', async () => {
    const address = await bob.provider.resolveName(DORA);
    const { profile } = await bob.lookUp(DORA);
    expect(address).toMatch(/^0x[0-9a-fA-F]{40}$/);
    expect(profile.deliveryServices).toEqual(['ds.gateway.eth']);
    expect((await bob.serviceOf({ profile, signature: '' })).url).toBe(gateway.deliveryServiceUrl);
  });

  it('is the same for ethers 6, and the sender’s signature fits it', async () => {
    await sendMail(gateway, { to: BOB, text: 'six of one' });
    const { message } = await bob.receive('six of one');

    const provider = ethers6Provider();
    const resolver = (await provider.getResolver(message.metadata.from))!;
    const address = (await provider.resolveName(message.metadata.from))!;
    const record = parseRecord((await resolver.getText('network.dm3.profile'))!);
    provider.destroy();
    expect(address).toBe(await bob.provider.resolveName(DORA));
    const { signed, keys } = parseUserProfile(record.kind === 'data' && record.json);
    expect(isSignedBy(gateway.crypto, signed!, address.toLowerCase() as EthAddress)).toBe(true);
    expect(verifyMessage(gateway.crypto, parseMessage(JSON.stringify(message)), keys.signing)).toBe(true);
  });
});

describe.each(DIALECTS)('the answer to a mail that bob sent as %s', (dialect) => {
  it.each([
    ['In-Reply-To', (id: string) => ({ inReplyTo: id, references: [id] })],
    [
      'References alone',
      (id: string) => ({ inReplyTo: '<unknown@example.org>', references: [id, '<unknown@example.org>'] }),
    ],
  ])('is a REPLY to his message, found by %s', async (how, threading) => {
    const words = `Lunch? (${dialect}, ${how})`;
    const { hash, envelope } = await bob.send({ to: DORA, text: words }, { dialect });
    const { messageId } = await arrivedMail(gateway, 'dora@example.org', words);
    await sendMail(gateway, { to: BOB, subject: `Re: ${words}`, text: `Yes: ${words}`, ...threading(messageId!) });

    const { message } = await bob.receive(`Yes: ${words}`);
    expect(envelope.metadata[dialect]).toBe(hash);
    expect(message.metadata).toMatchObject({ type: 'REPLY', referenceMessageHash: hash, from: DORA });
    expect(message.message).toBe(`Yes: ${words}`);
  });
});

function ethers6Provider(): JsonRpcProvider {
  const { rpcUrls, chainId } = gateway.settings.ens;
  const network = new Network('test', chainId!).attachPlugin(new EnsPlugin(gateway.world.registry, chainId!));
  return new JsonRpcProvider(rpcUrls[0], network, { staticNetwork: network });
}
