import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { EnsName } from '../src/common/ids.js';
import { toHex } from '../src/protocol/encoding/hex.js';
import { createPerson, type Person } from '../src/sandbox/people.js';
import { checksummed, clientCrypto, RealClient, shared } from './support/dm3-lib.js';
import { ask } from './support/http-answer.js';
import { sendMail } from './support/mail.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const SERVICE = 'ds.gateway.eth' as EnsName;
const NAME = 'nora.user.gateway.eth';

let gateway: TestGateway;
/** Has no name and no transaction on the chain. */
let nora: Person;
let client: RealClient;
beforeAll(async () => {
  gateway = await TestGateway.create({ settings: { subdomains: { enabled: true } } });
  const wallet = toHex(randomBytes(32));
  nora = createPerson(gateway.crypto, { name: NAME as EnsName, wallet, deliveryService: SERVICE });
  client = await RealClient.create(gateway, nora);
});
afterAll(() => gateway.stop());

const post = (path: string, body: unknown) => ask(`${gateway.url}/resolver/profile/${path}`, { body });
const read = (path: string) => ask(`${gateway.url}/resolver/profile/${path}`);
const addressName = () => `${checksummed(nora.address)}.addr.gateway.eth`;
const signed = (text: string) => clientCrypto.sign(client.keys.signingKeyPair.privateKey, text);

describe('somebody without a name', () => {
  it('publishes her profile under her address, where ENS clients find it', async () => {
    const address = checksummed(nora.address);
    expect((await read(address)).status).toBe(404);
    const submitted = await post('address', {
      signedUserProfile: client.profile,
      address,
      subdomain: 'addr.gateway.eth',
    });
    expect(submitted).toMatchObject({ status: 200, text: 'OK' });
    expect((await read(address)).json).toEqual(client.profile);
    expect(await client.lookUp(addressName())).toEqual(client.profile);
  });

  it('claims a name, which resolves to her both ways', async () => {
    expect((await read(`name/${nora.address}`)).status).toBe(404);
    const claim = { dm3Name: NAME, addressName: addressName(), signature: await signed(`alias: ${NAME}`) };
    expect(await post('name', claim)).toMatchObject({ status: 200 });
    expect((await read(`name/${nora.address}`)).json).toEqual({ name: NAME });
    expect(await client.provider.resolveName(NAME)).toBe(checksummed(nora.address));
    expect(shared.stringify(await client.lookUp(NAME))).toBe(shared.stringify(client.profile));
  });

  it('gets mail and messages under it', async () => {
    expect((await client.submitProfile()).status).toBe(200);
    await sendMail(gateway, { to: `${NAME}@${DOMAIN}`, text: 'to a name that costs nothing' });
    const { message } = await client.receive('to a name that costs nothing');
    expect(message.metadata.to).toBe(NAME);
    const alice = await RealClient.create(gateway, gateway.alice);
    await alice.send({ to: NAME, text: 'hello nora' });
    expect((await client.receive('hello nora')).message.metadata.from).toBe('alice.eth');
  });

  it('gives it back', async () => {
    const removal = { dm3Name: NAME, signature: await signed(`remove: ${NAME}`) };
    expect(await post('deleteName', { ...removal, signature: await signed(`alias: ${NAME}`) })).toMatchObject({
      status: 400,
      json: { code: 'CLAIM_FORGED', error: expect.stringMatching(/^signature invalid/) },
    });
    expect((await post('deleteName', removal)).status).toBe(200);
    expect((await read(`name/${nora.address}`)).status).toBe(404);
    expect((await post('deleteName', removal)).json).toMatchObject({ error: expect.stringMatching(/^Could not find/) });
  });
});

describe('bad input', () => {
  it.each([
    ['no profile', 'address', { address: `0x${'1'.repeat(40)}`, subdomain: 'addr.gateway.eth' }, /invalid|profile/],
    ['no address', 'address', { signedUserProfile: {}, address: 'bob', subdomain: 'x' }, /^invalid schema$/],
    ['nothing', 'name', {}, /^invalid schema$/],
    ['a name that is a number', 'name', { dm3Name: 7, addressName: 'x', signature: 'y' }, /^invalid schema$/],
    ['somebody else’s names', 'deleteName', { dm3Name: 'x.user.dm3.eth', signature: '' }, /is not supported/],
  ])('is refused with the reason: %s', async (_, path, body, reason) => {
    const answer = await post(path, body);
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({ error: expect.stringMatching(reason) });
  });

  it('in a path, too', async () => {
    expect((await read('bob.eth')).status).toBe(400);
    expect((await read('name/bob.eth')).status).toBe(400);
  });
});
