import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setAlias } from '../src/naming/contracts/deploy.js';
import type { Person } from '../src/sandbox/people.js';
import { startChainLink, type ChainLink } from './support/chain-link.js';
import { RealClient } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { ask } from './support/http-answer.js';
import { arrivedMail, exampleDns, sendMail } from './support/mail.js';
import { SmtpClient } from './support/smtp-client.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const DORA = 'dora@example.org';
const DORAS_NAME = 'dora._at.example.org.email.gateway.eth';

let link: ChainLink;
let gateway: TestGateway;
let person: Person;
let max: RealClient;
let bob: RealClient;
beforeAll(async () => {
  link = await startChainLink();
  gateway = await TestGateway.create({ dns: exampleDns, rpcUrl: link.rpcUrl });
  person = await gateway.addPerson('max.gnosis.eth', { signUp: true });
  max = await RealClient.create(gateway, person);
  bob = await RealClient.create(gateway, gateway.bob);
});
afterAll(async () => {
  await gateway.stop();
  await link.stop();
});

/** What the mail server says to a receiver. */
async function replyTo(receiver: string): Promise<string> {
  const client = await SmtpClient.connect(gateway.smtpPort);
  const reply = await client.recipient(`${receiver}@${DOMAIN}`);
  client.close();
  return reply;
}

const isReached = async (receiver: string) => (await replyTo(receiver)).startsWith('250');
const publish = (toplevel: string, alias: string) =>
  setAlias(gateway.deployer, { aliasRegistry: gateway.world.aliasRegistry, toplevel, alias });

describe('somebody with a name by a top-level alias', () => {
  it('gets mail under it, and answers under it', async () => {
    const asked = await sendMail(gateway, { to: `max.gno@${DOMAIN}`, subject: 'Safe?', text: 'is it safe?' });

    const question = await max.receive('is it safe?');
    expect(question.message.metadata).toMatchObject({ to: 'max.gnosis.eth', from: DORAS_NAME });
    await max.send({ to: DORAS_NAME, about: question.hash, text: 'it is safe' });

    const answer = await arrivedMail(gateway, DORA, 'it is safe');
    expect(answer.inReplyTo).toBe(asked);
    expect(answer.from?.value).toEqual([{ name: 'max.gno', address: `max.gno@${DOMAIN}` }]);
  });

  it('answers under the long name where that is the one known', async () => {
    await sendMail(gateway, { to: `max.gnosis.eth@${DOMAIN}`, subject: 'Long', text: 'the long way' });
    const question = await max.receive('the long way');
    await max.send({ to: DORAS_NAME, about: question.hash, text: 'the long way back' });
    const answer = await arrivedMail(gateway, DORA, 'the long way back');
    expect(answer.from?.value[0]!.address).toBe(`max.gnosis.eth@${DOMAIN}`);
  });

  it('is shown by it where nobody wrote first', async () => {
    await max.send({ from: 'max.gno', to: 'erik._at.example.org.email.gateway.eth', text: 'good morning' });
    const mail = await arrivedMail(gateway, 'erik@example.org', 'good morning');
    expect(mail.from?.value[0]!.address).toBe(`max.gno@${DOMAIN}`);
  });

  it('is reached by dm3 users, and logs in', async () => {
    await bob.send({ to: 'max.gno', text: 'from bob' }, { lookUp: 'max.gnosis.eth' });
    const asMaxGno = await RealClient.create(gateway, person, 'max.gno');
    const { hash } = await asMaxGno.receive('from bob');
    expect((await max.receive('from bob')).hash).toBe(hash);
    expect((await asMaxGno.fetchProfile()).json).toEqual(max.profile);
  });
});

describe('a mail address by the top-level alias of its network', () => {
  it('is written to like any other', async () => {
    const to = 'fritz._at.example.org.email';
    await bob.send({ to, text: 'short and good' }, { lookUp: `${to}.gateway.eth` });
    expect((await arrivedMail(gateway, 'fritz@example.org', 'short and good')).captured.to).toEqual([
      'fritz@example.org',
    ]);
  });

  it('does not take anything from the real top-level domain', async () => {
    const contact = await RealClient.create(gateway, await gateway.addPerson('contact.email', { signUp: true }));
    await sendMail(gateway, { to: `contact.email@${DOMAIN}`, text: 'to a real domain' });
    expect((await contact.receive('to a real domain')).message.metadata.to).toBe('contact.email');
  });
});

describe('the registry', () => {
  it('counts within the time an alias is believed, when it is new and when it changes', async () => {
    await gateway.addPerson('max.foundation.eth');
    expect(await replyTo('max.foo')).toMatch(/^550 5\.1\.1 /);
    await publish('foo', 'gnosis.eth');
    await eventually('the new alias', () => isReached('max.foo'));
    expect((await translated('max.foo')).name).toBe('max.gnosis.eth');
    await publish('foo', 'foundation.eth');
    await eventually('the changed alias', async () => (await translated('max.foo')).name === 'max.foundation.eth');
    expect(await isReached('max.foo')).toBe(true);
  });

  it('may be out of reach: what was known last holds, the rest passes through, and operators see it', async () => {
    await publish('bar', 'gnosis.eth');
    await eventually('the alias', () => isReached('max.bar'));
    link.cutOff(gateway.world.aliasRegistry.slice(2));
    await eventually('the outage to show', async () => {
      expect(await isReached('max.bar')).toBe(true);
      return (await reachable()) === 0;
    });
    expect(await replyTo('max.unheard')).toMatch(/^550 5\.1\.1 /);
    expect(await replyTo('max.gnosis.eth')).toMatch(/^250 /);
    const health = (await ask(`${gateway.url}/health/ready`)).json as { details: Record<string, unknown> };
    expect(health.details['alias-registry']).toMatchObject({
      status: 'up',
      detail: expect.stringContaining('not reachable'),
    });
    link.mend();
    await eventually('the end of the outage', async () => (await isReached('max.bar')) && (await reachable()) === 1);
  });
});

describe('GET /resolver/alias', () => {
  it('translates both ways, for everybody and for caches', async () => {
    const answer = await ask(`${gateway.url}/resolver/alias?of=${encodeURIComponent('Dora@Example.org')}`);
    const dora = {
      kind: 'email',
      address: 'mailto:dora@example.org',
      name: DORAS_NAME,
      topLevelName: 'dora._at.example.org.email',
      served: true,
    };
    expect(answer).toMatchObject({ status: 200, json: dora });
    expect(answer.headers.get('cache-control')).toBe('public, max-age=1');
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(await translated('dora._at.example.org.email')).toEqual(dora);
  });

  it('knows networks that are not served here, and says so', async () => {
    const short = '_room.dev._at.hs.org.matrix';
    const room = { kind: 'matrix', address: 'matrix:r/dev:hs.org', topLevelName: short, served: false };
    expect(await translated('#dev:hs.org')).toEqual({ ...room, name: `${short}.gateway.eth` });
    const address = `0x${'ab'.repeat(20)}`;
    const name = `${address}.xmtp.gateway.eth`;
    const somebody = { kind: 'xmtp', address: `xmtp:${address}`, topLevelName: null, served: false };
    expect(await translated(name)).toEqual({ ...somebody, name });
    await expect(bob.provider.resolveName(name)).resolves.toBeNull();
  });

  it.each(['', '?of=', '?of=a&of=b', '?name=a'])('explains itself when asked nothing: %j', async (query) => {
    expect(await ask(`${gateway.url}/resolver/alias${query}`)).toMatchObject({
      status: 400,
      json: { code: 'NOTHING_ASKED', message: expect.stringContaining('/resolver/alias?of=') },
    });
  });
});

async function translated(text: string): Promise<{ name: string }> {
  return (await ask(`${gateway.url}/resolver/alias?of=${encodeURIComponent(text)}`)).json as { name: string };
}

async function reachable(): Promise<number> {
  const { text } = await ask(`${gateway.url}/metrics`);
  return Number(/^dm3_gateway_alias_registry_reachable (\d)$/m.exec(text)![1]);
}
