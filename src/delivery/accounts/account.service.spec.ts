import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { addressOf, DeliveryWorld } from '../../../test/support/delivery-world.js';
import type { EnsName } from '../../common/ids.js';
import {
  NameNotFoundError,
  NamingUnavailableError,
  ProfileInvalidError,
  ProfileNotFoundError,
} from '../../naming/errors.js';
import { parseRecord, USER_PROFILE_RECORD } from '../../protocol/profile/record.js';
import { SignUpRefusedError } from '../errors.js';

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
    expect(await world.accounts.submitProfile(sven.name, sven.profile)).toBe(sven.address);
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
