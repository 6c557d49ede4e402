import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { addressOf, DeliveryWorld } from '../../../test/support/delivery-world.js';
import { keyOwners, namesOver } from '../../../test/support/memory-ens.js';
import type { EnsName, EthAddress } from '../../common/ids.js';
import {
  NameNotFoundError,
  NamingUnavailableError,
  ProfileInvalidError,
  ProfileNotFoundError,
} from '../../naming/errors.js';
import { dataRecord, parseRecord, USER_PROFILE_RECORD } from '../../protocol/profile/record.js';
import type { Person } from '../../sandbox/people.js';
import { SignUpRefusedError } from '../errors.js';
import { AccountService } from './account.service.js';

const SERVICE = 'ds.gateway.eth';

let world: DeliveryWorld;
beforeAll(async () => {
  world = await DeliveryWorld.open('accounts');
});
afterAll(() => world.close());

describe('sign-up', () => {
  it.each([
    ['open', [], 'anna.eth', true],
    ['allow-list', ['ben.eth'], 'ben.eth', true],
    ['allow-list', ['BEN2.eth', 'not a name'], 'ben2.eth', true],
    ['allow-list', ['ben.eth'], 'carl.eth', false],
    ['allow-list', [], 'carl.eth', false],
    ['suffix', ['.dao.eth'], 'dora.dao.eth', true],
    ['suffix', ['dao.eth'], 'emil.dao.eth', true],
    ['suffix', ['dao.eth'], 'notdao.eth', false],
    ['suffix', ['.dao.eth'], 'fred.eth', false],
  ] as const)('%s %j: %s -> %s', async (policy, names, name, welcome) => {
    const person = await world.person(name);
    const accounts = world.accountsWith({ policy, names });
    const signingUp = accounts.submitProfile(person.name, person.profile);
    if (welcome) await signingUp;
    else await expect(signingUp).rejects.toThrow('by invitation only');
    expect(await accounts.stored(person.address)).toEqual(welcome ? person.profile : null);
  });

  it('lets somebody who is here already change his profile, whatever the policy says now', async () => {
    const gina = await world.person('gina.eth', { signUp: true });
    const { profile } = world.withProfile(gina, { deliveryServices: ['ds.gateway.eth', 'other.eth'] });
    await world.accountsWith({ policy: 'allow-list', names: [] }).submitProfile(gina.name, profile);
    expect(await world.accounts.stored(gina.address)).toEqual(profile);
  });

  it('asks for the signature of the address behind the name', async () => {
    const [hugo, ida] = [await world.person('hugo.eth'), await world.person('ida.eth')];
    await expect(world.accounts.submitProfile(hugo.name, ida.profile)).rejects.toThrow('not signed by the address');
    await expect(world.accounts.submitProfile(hugo.name, hugo.profile.profile)).rejects.toThrow(SignUpRefusedError);
  });

  it('asks for a profile that lists this service, however it is spelled', async () => {
    const jana = await world.person('jana.eth', { service: 'other.eth' });
    await expect(world.accounts.submitProfile(jana.name, jana.profile)).rejects.toThrow('does not list ds.gateway.eth');
    const { profile } = world.withProfile(jana, { deliveryServices: ['DS.Gateway.eth'] });
    await world.accounts.submitProfile(jana.name, profile);
  });

  it('needs a name with an address, and a chain that answers', async () => {
    const kim = await world.person('kim.eth', { publish: false });
    await expect(world.accounts.submitProfile(kim.name, kim.profile)).rejects.toThrow(NameNotFoundError);
    world.ens.isDown = true;
    await expect(world.accounts.submitProfile(kim.name, kim.profile)).rejects.toThrow(NamingUnavailableError);
    world.ens.isDown = false;
  });
});

describe('a profile that nobody can have had but its owner', () => {
  const newcomer = async (name: string) => {
    const person = await world.person(name, { publish: false });
    world.ens.setAddress(name, person.address);
    world.ens.setPrimaryName(person.address, person.name);
    return person;
  };
  const isFromOwner = async ({ name, profile }: Pick<Person, 'name' | 'profile'>) =>
    (await world.accounts.submitProfile(name, profile)).isFromOwner;

  it('is the first one, handed in before the name that the address calls itself publishes any', async () => {
    expect(await isFromOwner(await newcomer('uma.eth'))).toBe(true);
  });

  it('is not one that was handed in before, nor one that follows it', async () => {
    const vera = await newcomer('vera.eth');
    await isFromOwner(vera);
    expect(await isFromOwner(vera)).toBe(false);
    const publicEncryptionKey = Buffer.alloc(32, 7).toString('base64');
    expect(await isFromOwner(world.withProfile(vera, { publicEncryptionKey }))).toBe(false);
  });

  it('is handed in by one of those who come at once', async () => {
    const wim = await newcomer('wim.eth');
    const answers = await Promise.all([1, 2, 3, 4].map(() => isFromOwner(wim)));
    expect(answers.filter(Boolean)).toHaveLength(1);
  });

  it('is none that the name publishes already, be it this one or another', async () => {
    const [xena, yves] = [await newcomer('xena.eth'), await newcomer('yves.eth')];
    world.ens.publish(xena);
    expect(await isFromOwner(xena)).toBe(false);
    world.ens.publish(world.withProfile(yves, { deliveryServices: ['elsewhere.eth'] }));
    expect(await isFromOwner(yves)).toBe(false);
  });

  it('is none that is handed in under a name which somebody else may have pointed at the address', async () => {
    const zoe = await newcomer('zoe.eth');
    world.ens.setAddress('zoes-enemy.eth', zoe.address);
    expect(await isFromOwner({ ...zoe, name: 'zoes-enemy.eth' as EnsName })).toBe(false);
    const amy = await newcomer('amy.eth');
    expect(await isFromOwner({ ...amy, name: world.names.addressName(amy.address) })).toBe(false);
    const ben = await world.person('ben2.eth', { publish: false });
    world.ens.setAddress(ben.name, ben.address);
    expect(await isFromOwner(ben)).toBe(false);
  });

  it('is none that another delivery service has seen', async () => {
    const cleo = world.withProfile(await newcomer('cleo.eth'), { deliveryServices: [SERVICE, 'other.eth'] });
    expect(await isFromOwner(cleo)).toBe(false);
  });

  it('is none while ENS does not say', async () => {
    const dina = await newcomer('dina.eth');
    const unavailable = new NamingUnavailableError({ subject: 'The name', reason: 'the chain is down' });
    const claimedName = jest.spyOn(world.names, 'claimedName').mockRejectedValue(unavailable);
    expect(await isFromOwner(dina)).toBe(false);
    claimedName.mockRestore();
  });
});

describe('a profile that was replaced', () => {
  const replaced = { code: 'PROFILE_REPLACED', kind: 'forbidden' };

  it('does not come back when somebody hands it in again, under whatever name', async () => {
    const quinn = await world.person('quinn.eth', { signUp: true });
    const rotated = world.withProfile(quinn, { publicEncryptionKey: Buffer.alloc(32, 7).toString('base64') });
    world.ens.publish(rotated);
    await world.accounts.submitProfile(quinn.name, rotated.profile);

    world.ens.setAddress('quinns-enemy.eth', quinn.address);
    world.ens.publish({ ...quinn, name: 'quinns-enemy.eth' as EnsName });
    for (const name of [quinn.name, world.names.addressName(quinn.address), 'quinns-enemy.eth' as EnsName]) {
      await expect(world.accounts.submitProfile(name, quinn.profile)).rejects.toMatchObject(replaced);
    }
    expect(await world.accounts.stored(quinn.address)).toEqual(rotated.profile);
    await world.accounts.submitProfile(quinn.name, rotated.profile);
  });

  it('does not come back with another signature of its owner either', async () => {
    const rosa = await world.person('rosa.eth', { signUp: true });
    await world.accounts.submitProfile(
      rosa.name,
      world.withProfile(rosa, { deliveryServices: [SERVICE, 'x.eth'] }).profile,
    );
    const v = rosa.profile.signature.endsWith('1b') ? '00' : '01';
    const signature = `${rosa.profile.signature.slice(0, -2)}${v}`;
    await expect(world.accounts.submitProfile(rosa.name, { ...rosa.profile, signature })).rejects.toMatchObject(
      replaced,
    );
  });

  it('comes back if the name that the address calls itself publishes it', async () => {
    const sven = await world.person('sven.eth', { signUp: true });
    const other = world.withProfile(sven, { deliveryServices: [SERVICE, 'x.eth'] });
    await world.accounts.submitProfile(sven.name, other.profile);
    const primaryName = jest.spyOn(world.names, 'primaryName').mockResolvedValue(sven.name);
    world.ens.publish(other);
    await expect(world.accounts.submitProfile(sven.name, sven.profile)).rejects.toMatchObject(replaced);
    world.ens.publish(sven);
    expect(await world.accounts.submitProfile(sven.name, sven.profile)).toMatchObject({ address: sven.address });
    await expect(world.accounts.submitProfile(sven.name, other.profile)).rejects.toMatchObject(replaced);
    primaryName.mockRestore();
  });

  it('is not judged while the chain is down', async () => {
    const tina = await world.person('tina.eth', { signUp: true });
    await world.accounts.submitProfile(
      tina.name,
      world.withProfile(tina, { deliveryServices: [SERVICE, 'x.eth'] }).profile,
    );
    const unavailable = new NamingUnavailableError({ subject: 'The name', reason: 'the chain is down' });
    const primaryName = jest.spyOn(world.names, 'primaryName').mockRejectedValue(unavailable);
    await expect(world.accounts.submitProfile(tina.name, tina.profile)).rejects.toBe(unavailable);
    primaryName.mockRestore();
  });
});

describe('the profile that counts', () => {
  it('is the published one, as soon as that changes', async () => {
    const lara = await world.person('lara.eth', { signUp: true });
    world.ens.publish(world.withProfile(lara, { deliveryServices: ['newer.eth'] }));
    const { profile } = await world.accounts.profileOf(lara.name, lara.address);
    expect(profile.deliveryServices).toEqual(['newer.eth']);
  });

  it('is the one handed in where none is published', async () => {
    const mara = await world.person('mara.eth', { publish: false });
    const name = world.names.addressName(mara.address);
    await world.accounts.submitProfile(name, mara.profile);
    const { keys } = await world.accounts.profileOf(name, mara.address);
    expect(keys.signing).toEqual(new Uint8Array(mara.keys.signing.publicKey));
    world.ens.setAddress('mara.eth', mara.address);
    expect((await world.accounts.profileOf(mara.name, mara.address)).keys).toEqual(keys);
  });

  it('is never that of another address: a name that moved takes no keys along', async () => {
    const [nils, olga] = [await world.person('nils.eth', { signUp: true }), await world.person('olga.eth')];
    world.ens.publish({ ...olga, name: nils.name });
    const { keys } = await world.accounts.profileOf(nils.name, nils.address);
    expect(keys.signing).toEqual(new Uint8Array(nils.keys.signing.publicKey));
    await expect(world.accounts.profileOf(nils.name, addressOf('1'))).rejects.toThrow(ProfileNotFoundError);
  });

  it('is not replaced by an older one where the published one is broken', async () => {
    const paul = await world.person('paul.eth', { signUp: true });
    world.ens.setText(paul.name, USER_PROFILE_RECORD, 'data:application/json,{}');
    await expect(world.accounts.profileOf(paul.name, paul.address)).rejects.toThrow(ProfileInvalidError);
  });
});

describe('a published profile that nobody signed', () => {
  /** Of an operator who takes such profiles. */
  function lenientAccounts(): AccountService {
    const { crypto, db, ens } = world;
    const { names } = namesOver(ens, { acceptBareProfiles: true });
    return new AccountService({
      crypto,
      db,
      names,
      owners: keyOwners,
      ownName: SERVICE as EnsName,
      signUp: { policy: 'open', names: [] },
    });
  }

  /** A name that points at an address, with keys of whoever owns the name. */
  async function pointAt(name: string, address: EthAddress): Promise<Person> {
    const owner = await world.person(name, { publish: false });
    world.ens.setAddress(name, address);
    world.ens.setText(name, USER_PROFILE_RECORD, dataRecord(owner.profile.profile));
    return owner;
  }

  it('gives nobody the keys to another’s account, whatever his name points at', async () => {
    const uma = await world.person('uma.eth', { signUp: true });
    await pointAt('umas-enemy.eth', uma.address);
    const { keys } = await lenientAccounts().profileOf('umas-enemy.eth' as EnsName, uma.address);
    expect(keys.signing).toEqual(new Uint8Array(uma.keys.signing.publicKey));
  });

  it('is none where there is no account either', async () => {
    await pointAt('nobodys-enemy.eth', addressOf('7'));
    const profile = lenientAccounts().profileOf('nobodys-enemy.eth' as EnsName, addressOf('7'));
    await expect(profile).rejects.toThrow(ProfileNotFoundError);
  });

  it('counts for the address that calls itself by that name', async () => {
    const vera = await world.person('vera.eth', { publish: false });
    const owner = await pointAt(vera.name, vera.address);
    world.ens.setPrimaryName(vera.address, vera.name);
    const { keys } = await lenientAccounts().profileOf(vera.name, vera.address);
    expect(keys.signing).toEqual(new Uint8Array(owner.keys.signing.publicKey));
    await expect(world.accounts.profileOf(vera.name, vera.address)).rejects.toThrow(ProfileInvalidError);
  });
});

describe('address names', () => {
  it('resolve for accounts, and for nobody else', async () => {
    const rita = await world.person('rita.eth', { signUp: true });
    const records = (await world.accounts.find(world.names.addressName(rita.address)))!;
    expect(records.address).toBe(rita.address);
    expect(parseRecord(records.texts[USER_PROFILE_RECORD]!)).toEqual({ kind: 'data', json: rita.profile });
    expect(await world.accounts.find(world.names.addressName(addressOf('2')))).toBeNull();
    expect(await world.accounts.find(`${rita.address}.addr.elsewhere.eth` as EnsName)).toBeNull();
    expect(await world.accounts.find(rita.name)).toBeNull();
  });
});
