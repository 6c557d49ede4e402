import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checksummed, RealClient } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { arrivedMail, exampleDns, mailFor, sendMail } from './support/mail.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const BOB = `bob.eth@${DOMAIN}`;
const CAROL = 'carol._at.example.org.email.gateway.eth';
const DORA = 'dora._at.example.org.email.gateway.eth';

/** Real clients write addresses into messages; whose subdomain they take for it is their own affair. */
const addressName = (address: string, root = 'dm3.eth') => `${checksummed(address)}.addr.${root}`;

let gateway: TestGateway;
let bob: RealClient;
beforeAll(async () => {
  gateway = await TestGateway.create({ dns: exampleDns });
  bob = await RealClient.create(gateway, gateway.bob);
});
afterAll(() => gateway.stop());

describe('a person under an address name', () => {
  it.each(['gateway.eth', 'dm3.eth'])('(…addr.%s) is the same person in the same thread', async (root) => {
    const asked = await sendMail(gateway, { to: BOB, subject: 'Who?', text: `who are you on ${root}?` });
    const question = await bob.receive(`who are you on ${root}?`);
    const ghost = await addressOf(DORA);
    const answer = {
      from: addressName(gateway.bob.address, root),
      to: addressName(ghost, root),
      about: question.hash,
      text: `still bob on ${root}`,
    };
    await bob.send(answer, { lookUp: DORA, deliverTo: DORA });

    const mail = await arrivedMail(gateway, 'dora@example.org', `still bob on ${root}`);
    expect(mail.inReplyTo).toBe(asked);
    expect(mail.captured.raw).toContain(`\r\nFrom: "bob.eth" <${BOB}>\r\n`);
  });

  it('is shown by the name that the address calls itself', async () => {
    const alice = await RealClient.create(gateway, gateway.alice);
    await alice.send({ from: addressName(gateway.alice.address), to: CAROL, text: 'first contact' });

    const mail = await arrivedMail(gateway, 'carol@example.org', 'first contact');
    expect(mail.from?.value).toEqual([{ name: 'alice.eth', address: `alice.eth@${DOMAIN}` }]);
  });

  it('logs in and reads the one mailbox of the address', async () => {
    await sendMail(gateway, { to: BOB, text: 'one box' });
    const sameBob = await RealClient.create(gateway, gateway.bob, addressName(gateway.bob.address, 'gateway.eth'));
    const { hash } = await sameBob.receive('one box');
    expect((await bob.receive('one box')).hash).toBe(hash);
  });

  it('gets mail to the bare address', async () => {
    for (const address of [checksummed(gateway.bob.address), gateway.bob.address]) {
      await sendMail(gateway, { to: `${address}@${DOMAIN}`, text: `to ${address}` });
      expect((await bob.receive(`to ${address}`)).message.metadata.to).toBe('bob.eth');
    }
  });
});

describe('the ghost of a mailbox', () => {
  it('is reached by its address alone', async () => {
    const to = addressName(await addressOf(DORA));
    await bob.send({ to, text: 'to an address' }, { lookUp: DORA });
    expect((await arrivedMail(gateway, 'dora@example.org', 'to an address')).captured.to).toEqual(['dora@example.org']);
  });

  it('does not take a message that names somebody else inside', async () => {
    const { hash } = await bob.send({ to: CAROL, text: 'not for Dora' }, { lookUp: DORA, deliverTo: DORA });
    const notice = await bob.receive('it names another receiver than its envelope');
    expect(notice.message.metadata).toMatchObject({ from: DORA, type: 'REPLY', referenceMessageHash: hash });
    const leaked = [...(await mailFor(gateway, 'dora@example.org')), ...(await mailFor(gateway, 'carol@example.org'))];
    expect(leaked.filter(({ text }) => text?.includes('not for Dora'))).toEqual([]);
  });
});

it('a name that moves to another address takes nothing along', async () => {
  const oldOwner = await RealClient.create(gateway, await gateway.addPerson('moved.eth', { signUp: true }));
  const oldAddress = await oldOwner.provider.resolveName('moved.eth');
  await oldOwner.send({ to: DORA, text: 'from the old owner' });
  const oldMail = await arrivedMail(gateway, 'dora@example.org', 'from the old owner');
  const waiting = await sendMail(gateway, { to: `moved.eth@${DOMAIN}`, text: 'waiting for the old owner' });
  await oldOwner.receive('waiting for the old owner');

  const newOwner = await RealClient.create(gateway, await gateway.addPerson('moved.eth'));
  await eventually('the move to be seen', async () => (await newOwner.submitProfile()).status === 200);
  expect(await newOwner.incoming()).toEqual([]);

  await newOwner.send({ to: DORA, text: 'from the new owner' });
  const newMail = await arrivedMail(gateway, 'dora@example.org', 'from the new owner');
  expect(newMail).toMatchObject({ subject: 'from the new owner' });
  expect(newMail.references).toBeUndefined();
  expect(newMail.from?.value[0]?.address).toBe(`moved.eth@${DOMAIN}`);

  await sendMail(gateway, { to: `moved.eth@${DOMAIN}`, text: 'an old thread', inReplyTo: oldMail.messageId! });
  expect((await newOwner.receive('an old thread')).message.metadata.type).toBe('NEW');

  await oldOwner.send({ from: addressName(oldAddress!), to: DORA, text: 'still here' });
  const stillMail = await arrivedMail(gateway, 'dora@example.org', 'still here');
  expect(stillMail.inReplyTo).toBe(waiting);
  expect(stillMail.from?.value).toEqual([
    { name: oldAddress!.toLowerCase(), address: `${oldAddress!.toLowerCase()}@${DOMAIN}` },
  ]);
});

async function addressOf(name: string): Promise<string> {
  return (await bob.provider.resolveName(name))!;
}
