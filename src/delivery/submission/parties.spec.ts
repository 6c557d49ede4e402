import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addressOf, DeliveryWorld } from '../../../test/support/delivery-world.js';
import type { EnsName } from '../../common/ids.js';
import { NamingUnavailableError } from '../../naming/errors.js';
import type { Person } from '../../sandbox/people.js';
import { ForgedSenderError } from '../errors.js';
import type { Destination } from './destination.js';

const GHOST = { name: 'carol.fake.gateway.eth' as EnsName, address: addressOf('c') };

/** Takes what is for Carol, by whichever of her names. */
const ghosts: Destination = {
  claim: async ({ name, address }) =>
    name === GHOST.name || address === GHOST.address ? { address: GHOST.address, accept: async () => {} } : null,
};

let world: DeliveryWorld;
let alice: Person;
let bob: Person;
beforeAll(async () => {
  world = await DeliveryWorld.open('parties');
  world.parties.addDestination(ghosts);
  alice = await world.person('alice.eth');
  bob = await world.person('bob.eth', { signUp: true });
});
afterAll(() => world.close());

describe('the receiver', () => {
  it('is an account, by any name of its address, with the key its profile names now', async () => {
    const own = await world.parties.receiver('Bob.eth');
    expect(own).toEqual({
      name: bob.name,
      address: bob.address,
      claimed: null,
      encryptionKey: new Uint8Array(bob.keys.encryption.publicKey),
    });
    const byAddress = await world.parties.receiver(`${bob.address}.addr.anything.eth`);
    expect(byAddress).toMatchObject({ address: bob.address, claimed: null });
  });

  it('is claimed by name, without asking the chain, or by address', async () => {
    world.ens.isDown = true;
    expect(await world.parties.receiver(GHOST.name)).toMatchObject({ ...GHOST, claimed: { address: GHOST.address } });
    world.ens.isDown = false;
    world.ens.setAddress('carols-own.eth', GHOST.address);
    expect(await world.parties.receiver('carols-own.eth')).toMatchObject({ claimed: { address: GHOST.address } });
  });

  it.each([
    ['no name', 'a b', 'not an ENS name'],
    ['a name without an address', 'nobody.eth', 'resolves to no address'],
    ['somebody without an account', 'alice.eth', 'no account here'],
  ])('is unknown: %s', async (_, name, reason) => {
    await expect(world.parties.receiver(name)).rejects.toMatchObject({
      code: 'RECEIVER_UNKNOWN',
      message: expect.stringContaining(reason),
    });
  });

  it('is unknown once his published profile names other services only', async () => {
    const moved = await world.person('moved.eth', { signUp: true });
    world.ens.publish(world.withProfile(moved, { deliveryServices: ['other.eth'] }));
    await expect(world.parties.receiver(moved.name)).rejects.toThrow('its profile names other services');
  });

  it('is not called unknown while the chain cannot be asked', async () => {
    world.ens.isDown = true;
    await expect(world.parties.receiver('bob.eth')).rejects.toThrow(NamingUnavailableError);
    world.ens.isDown = false;
  });
});

describe('the sender', () => {
  it('is who signed the envelope', async () => {
    const envelope = world.envelope({ from: alice, to: bob, text: 'hi' });
    expect(await world.parties.sender('ALICE.eth', envelope)).toEqual({
      name: alice.name,
      address: alice.address,
      signingKey: new Uint8Array(alice.keys.signing.publicKey),
    });
  });

  it('is forged if somebody else signed, or what was signed has changed', async () => {
    const envelope = world.envelope({ from: bob, to: bob, text: 'hi' });
    await expect(world.parties.sender('alice.eth', envelope)).rejects.toThrow(ForgedSenderError);
    const changed = { ...envelope, metadata: { ...envelope.metadata, version: 'v2' } };
    await expect(world.parties.sender('bob.eth', changed)).rejects.toThrow(ForgedSenderError);
  });

  it.each([
    ['nobody.eth', /^The ENS name nobody\.eth does not exist or has no Ethereum address\. Check its spelling$/],
    ['plain.eth', /^The ENS name plain\.eth has no network\.dm3\.profile record/],
    ['not a name', /is not an ENS name/],
  ])('cannot be verified: %s', async (name, reason) => {
    world.ens.setAddress('plain.eth', addressOf('d'));
    const envelope = world.envelope({ from: alice, to: bob, text: 'hi' });
    const sender = await world.parties.sender(name, envelope);
    expect(sender).toEqual({ signingKey: null, reason: expect.stringMatching(reason) });
  });

  it('is not called unverified while the chain cannot be asked', async () => {
    world.ens.isDown = true;
    const envelope = world.envelope({ from: alice, to: bob, text: 'hi' });
    await expect(world.parties.sender('alice.eth', envelope)).rejects.toThrow(NamingUnavailableError);
    world.ens.isDown = false;
  });
});
