import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addressOf, DeliveryWorld } from '../../../test/support/delivery-world.js';
import type { EnsName } from '../../common/ids.js';
import { normaliseName } from '../../naming/ens-name.js';
import { signText } from '../../protocol/crypto/signature.js';
import { parseRecord, USER_PROFILE_RECORD } from '../../protocol/profile/record.js';
import type { Person } from '../../sandbox/people.js';
import { Subdomains } from './subdomains.js';

const ROOT = 'gateway.eth' as EnsName;
const ADDRESSES = `addr.${ROOT}`;

let world: DeliveryWorld;
let names: Subdomains;
let balance = 0n;
beforeAll(async () => {
  world = await DeliveryWorld.open('subdomains');
  names = managers();
});
afterAll(() => world.close());

const managers = ({ reserved = [] as string[], minBalance = 0n } = {}) =>
  new Subdomains({
    crypto: world.crypto,
    db: world.db,
    accounts: world.accounts,
    chain: { balance: async () => balance },
    rootName: ROOT,
    reserved,
    minBalance,
  });

/** Somebody who is not in ENS and has no mailbox here, whose profile was handed in. */
async function published(name: string): Promise<Person> {
  const person = await world.person(name, { publish: false, service: 'ds.elsewhere.eth' });
  await names.publish(person.address, ADDRESSES, person.profile);
  return person;
}
const signed = (person: Person, text: string) => signText(world.crypto, person.keys.signing.privateKey, text);
const claim = (person: Person, name: string, from = names) =>
  from.claim({ name, signature: signed(person, `alias: ${name}`) }, `${person.address}.${ADDRESSES}`);
const release = (person: Person, name: string) => names.release({ name, signature: signed(person, `remove: ${name}`) });
const found = (name: string) => names.find(normaliseName(name));

describe('an address name', () => {
  it('publishes the profile of whoever signed it, without a mailbox', async () => {
    const person = await published('anna.test');
    const records = await world.accounts.find(normaliseName(`${person.address}.${ADDRESSES}`));
    expect(records).toMatchObject({ address: person.address });
    const record = parseRecord(records!.texts[USER_PROFILE_RECORD]!);
    expect(record).toMatchObject({ kind: 'data', json: person.profile });
    expect(await world.accounts.stored(person.address)).toBeNull();
    expect(await names.profileOf(person.address)).toEqual(person.profile);
  });

  it('takes a newer profile, and the former one no more', async () => {
    const person = await published('berta.test');
    const newer = world.withProfile(person, { deliveryServices: ['ds.third.eth'] });
    await names.publish(person.address, ADDRESSES, newer.profile);
    expect(await names.profileOf(person.address)).toEqual(newer.profile);
    await expect(names.publish(person.address, ADDRESSES, person.profile)).rejects.toMatchObject({
      code: 'PROFILE_REPLACED',
    });
  });

  it('lets nobody into the mailboxes: who signs up later is still asked for an invitation', async () => {
    const person = await world.person('carla.test');
    await names.publish(person.address, ADDRESSES, person.profile);
    const invited = world.accountsWith({ policy: 'allow-list', names: [] });
    await expect(invited.submitProfile(person.name, person.profile)).rejects.toMatchObject({ code: 'SIGN_UP_REFUSED' });
    await expect(world.parties.receiver(person.name)).rejects.toMatchObject({ code: 'RECEIVER_UNKNOWN' });
    await world.accounts.submitProfile(person.name, person.profile);
    expect(await world.parties.receiver(person.name)).toMatchObject({ address: person.address });
  });

  it('does not touch the profile of whoever has a mailbox: an old one of theirs could cut it off', async () => {
    const person = await world.person('dora.test', { signUp: true });
    await names.publish(person.address, ADDRESSES, person.profile);
    const old = world.withProfile(person, { deliveryServices: ['ds.elsewhere.eth'] });
    await expect(names.publish(person.address, ADDRESSES, old.profile)).rejects.toThrow('has a mailbox here');
    expect(await world.accounts.stored(person.address)).toEqual(person.profile);
    expect(await world.parties.receiver(person.name)).toMatchObject({ address: person.address });
  });

  it('is refused for somebody else’s profile, and under somebody else’s name', async () => {
    const person = await published('emma.test');
    await expect(names.publish(addressOf('e'), ADDRESSES, person.profile)).rejects.toThrow(/^invalid profile/);
    await expect(names.publish(person.address, 'addr.dm3.eth', person.profile)).rejects.toThrow(
      /^subdomain addr\.dm3\.eth is not supported/,
    );
  });
});

describe('a user name', () => {
  it('is its owner’s, both ways, until he gives it back', async () => {
    const fred = await published('fred.test');
    const name = `fred.user.${ROOT}`;
    await claim(fred, name);
    await claim(fred, name);
    expect(await found(name)).toMatchObject({ address: fred.address, texts: { name } });
    expect(await names.nameOf(fred.address)).toBe(name);
    await release(fred, name);
    expect(await found(name)).toBeNull();
    expect(await names.nameOf(fred.address)).toBeNull();
  });

  it('is one a profile, and one of those that look alike', async () => {
    const [gina, other] = [await published('gina.test'), await published('g1na.test')];
    await claim(gina, `gina10.user.${ROOT}`);
    await expect(claim(gina, `gina11.user.${ROOT}`)).rejects.toThrow(
      `Could not create alias: the profile has a name already, gina10.user.${ROOT}.`,
    );
    await expect(claim(other, `gina10.user.${ROOT}`)).rejects.toThrow('Could not create alias: the name is taken.');
    await expect(claim(other, `ginalo.user.${ROOT}`)).rejects.toThrow('looks like one that is taken');
  });

  it('goes to one of those who want it at once', async () => {
    const people = await Promise.all(['hal1', 'hal2', 'hal3', 'hal4'].map((each) => published(`${each}.test`)));
    const results = await Promise.allSettled(people.map((person) => claim(person, `hal.user.${ROOT}`)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('is for whoever holds the signing key of the profile, and nobody else', async () => {
    const [ivan, thief] = [await published('ivan.test'), await published('thief.test')];
    const name = `ivan.user.${ROOT}`;
    const stolen = { name, signature: signed(thief, `alias: ${name}`) };
    await expect(names.claim(stolen, `${ivan.address}.${ADDRESSES}`)).rejects.toThrow(/^signature invalid/);
    await claim(ivan, name);
    await expect(release(thief, name)).rejects.toThrow(/^signature invalid/);
    // A signature for a name is none for taking it away, nor for another name.
    const replayed = { name, signature: signed(ivan, `alias: ${name}`) };
    await expect(names.release(replayed)).rejects.toThrow(/^signature invalid/);
    expect(await names.nameOf(ivan.address)).toBe(name);
  });

  it.each([
    ['Jane', 'not in normal form'],
    ['admin', 'is reserved'],
    ['treasury', 'is reserved'],
    ['a.b', 'a dot'],
  ])('is refused with the reason: %s', async (label, reason) => {
    const jane = await published(`${label}.jane.test`);
    const from = managers({ reserved: ['treasury'] });
    await expect(claim(jane, `${label}.user.${ROOT}`, from)).rejects.toThrow(`Invalid subdomain: the label`);
    await expect(claim(jane, `${label}.user.${ROOT}`, from)).rejects.toThrow(reason);
  });

  it('asks for a profile first, for a name of ours, and for what the operator wants people to have', async () => {
    const nobody = await world.person('nobody.test', { publish: false });
    await expect(claim(nobody, `nobody.user.${ROOT}`)).rejects.toThrow(/^Could not find profile/);
    const kate = await published('kate.test');
    await expect(claim(kate, 'kate.user.dm3.eth')).rejects.toThrow(/is not supported/);
    const wrongAddress = { name: `kate.user.${ROOT}`, signature: '' };
    await expect(names.claim(wrongAddress, `kate.${ADDRESSES}`)).rejects.toThrow(/is not supported/);
    await expect(names.release({ name: `kate.user.${ROOT}`, signature: '' })).rejects.toThrow(/^Could not find/);
    const from = managers({ minBalance: 5n });
    balance = 4n;
    await expect(claim(kate, `kate.user.${ROOT}`, from)).rejects.toThrow(/^Insuficient ETH balance/);
    balance = 5n;
    await claim(kate, `kate.user.${ROOT}`, from);
  });
});
