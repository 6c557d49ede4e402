import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SignJWT, UnsecuredJWT } from 'jose';
import { DeliveryWorld } from '../../../test/support/delivery-world.js';
import { keyOwners, namesOver } from '../../../test/support/memory-ens.js';
import { NameNotFoundError } from '../../naming/errors.js';
import { profileKeysFromSeed } from '../../protocol/crypto/keys.js';
import { signText } from '../../protocol/crypto/signature.js';
import type { Person } from '../../sandbox/people.js';
import { AccountService } from '../accounts/account.service.js';
import { ChallengeStore } from './challenge.store.js';
import { LoginService } from './login.service.js';

const SESSION_SECONDS = 3_600;
const tokenSecret = new Uint8Array(32).fill(5);

let world: DeliveryWorld;
let challenges: ChallengeStore;
let logins: LoginService;
let alice: Person;
let bob: Person;
beforeAll(async () => {
  world = await DeliveryWorld.open('logins');
  const { crypto, clock, db, names, accounts, own } = world;
  challenges = new ChallengeStore(world.sealer);
  const parts = { crypto, random: randomBytes, clock, db, challenges, names, accounts, ownName: own.name, tokenSecret };
  logins = new LoginService({ ...parts, challengeSeconds: 900, sessionSeconds: SESSION_SECONDS });
  alice = await world.person('alice.eth', { signUp: true });
  bob = await world.person('bob.eth', { signUp: true });
});
afterAll(() => world.close());
beforeEach(() => void (world.clock.time = 1_790_000_000_000));

const sign = (person: Person, text: string) => signText(world.crypto, person.keys.signing.privateKey, text);
const login = async (person: Person) => {
  const challenge = await logins.challenge(person.name);
  return logins.login(person.name, challenge, sign(person, challenge));
};
const bearer = (token: string) => `Bearer ${token}`;

describe('login', () => {
  it('opens the mailbox of whom the token is for, as long as it lasts', async () => {
    const token = await login(alice);
    expect(await logins.authorise(alice.name, bearer(token))).toBe(alice.address);
    world.clock.time += (SESSION_SECONDS - 1) * 1_000;
    expect(await logins.authorise(alice.name, bearer(token))).toBe(alice.address);
    world.clock.time += 1_000;
    await expect(logins.authorise(alice.name, bearer(token))).rejects.toThrow('Log in first');
  });

  it('is not fooled by a token for somebody else, or of somebody else’s making', async () => {
    const now = Math.floor(world.clock.now() / 1_000);
    const claims = new SignJWT({ account: bob.name }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime(now + 60);
    const unsigned = new UnsecuredJWT({ account: bob.name }).setExpirationTime(now + 60).encode();
    const tokens = [bearer(await login(alice)), bearer(await claims.sign(randomBytes(32))), bearer(unsigned)];
    for (const token of [...tokens, await login(bob), bearer('nonsense'), '', undefined]) {
      await expect(logins.authorise(bob.name, token)).rejects.toThrow('Log in first');
    }
  });

  it('opens the account under each of its names, and none that has moved on', async () => {
    const carol = await world.person('carol.eth', { signUp: true });
    const token = bearer(await login(carol));
    for (const name of [carol.name, world.names.addressName(carol.address)]) {
      expect(await logins.authorise(name, token)).toBe(carol.address);
    }
    const heir = await world.person('heir.eth', { signUp: true });
    world.ens.setAddress(carol.name, heir.address);
    await expect(logins.authorise(carol.name, token)).rejects.toThrow('Log in first');
  });

  it('needs the signature of the published key', async () => {
    const challenge = await logins.challenge(alice.name);
    await expect(logins.login(alice.name, challenge, sign(bob, challenge))).rejects.toThrow(/^Signature invalid$/);
    const again = await logins.challenge(alice.name);
    await expect(logins.login(alice.name, again, 'not base64!')).rejects.toThrow(/^Signature invalid$/);
  });
});

describe('the token of a sign-up', () => {
  const signUp = async (name: string, isFromOwner: boolean) => {
    const { name: ensName, address } = await world.person(name, { signUp: true });
    return { name: ensName, address, token: bearer(await logins.answerProfile(ensName, { address, isFromOwner })) };
  };
  const refused = { code: 'SESSION_REQUIRED' };

  it('reads the mailbox for an hour, and does nothing else', async () => {
    const { name, address, token } = await signUp('newcomer.eth', true);
    expect(await logins.authoriseReader(name, token)).toBe(address);
    await expect(logins.authorise(name, token)).rejects.toMatchObject(refused);
    await expect(logins.session(name, token.slice('Bearer '.length))).rejects.toMatchObject(refused);
    await expect(logins.authoriseReader(alice.name, token)).rejects.toMatchObject(refused);
    world.clock.time += 3_600_000;
    await expect(logins.authoriseReader(name, token)).rejects.toMatchObject(refused);
  });

  it('ends when somebody logs in, even that somebody himself', async () => {
    const { name, address, token } = await signUp('soon.eth', true);
    const session = bearer(await logins.issueToken(name, address));
    await expect(logins.authoriseReader(name, token)).rejects.toMatchObject(refused);
    expect(await logins.authoriseReader(name, session)).toBe(address);
  });

  it('opens nothing where the profile proves nothing', async () => {
    const { name, token } = await signUp('public.eth', false);
    await expect(logins.authoriseReader(name, token)).rejects.toMatchObject(refused);
  });
});

describe('a key that was changed', () => {
  const BELIEVED_MS = 300_000;

  /** As it is in earnest: what is known of names is believed for minutes. */
  function forgetfulLogins(): LoginService {
    const { crypto, clock, db, own, ens } = world;
    const { names } = namesOver(ens, { clock, ttlMs: BELIEVED_MS });
    const signUp = { policy: 'open', names: [] } as const;
    const accounts = new AccountService({ crypto, db, names, owners: keyOwners, ownName: own.name, signUp });
    const parts = { crypto, random: randomBytes, clock, db, challenges, names, accounts, ownName: own.name };
    return new LoginService({ ...parts, tokenSecret, challengeSeconds: 900, sessionSeconds: SESSION_SECONDS });
  }

  it('opens the mailbox at once, and the old one does so no more', async () => {
    const erin = await world.person('erin.eth', { signUp: true });
    const cached = forgetfulLogins();
    const enter = async (person: Person) => {
      const challenge = await cached.challenge(person.name);
      return cached.login(person.name, challenge, sign(person, challenge));
    };
    await enter(erin);
    const { signing } = profileKeysFromSeed(world.crypto, randomBytes(32));
    const publicSigningKey = Buffer.from(signing.publicKey).toString('base64');
    const rotated = { ...world.withProfile(erin, { publicSigningKey }), keys: { ...erin.keys, signing } };
    world.ens.publish(rotated);
    await enter(rotated);
    await expect(enter(erin)).rejects.toThrow('Signature invalid');
  });

  it('is not looked up more often than every three seconds, however often somebody fails', async () => {
    const frank = await world.person('frank.eth', { signUp: true });
    const cached = forgetfulLogins();
    const fail = async () => {
      const challenge = await cached.challenge(frank.name);
      await expect(cached.login(frank.name, challenge, sign(bob, challenge))).rejects.toThrow('Signature invalid');
    };
    await fail();
    const text = jest.spyOn(world.ens, 'text');
    for (let times = 0; times < 5; times += 1) await fail();
    expect(text).toHaveBeenCalledTimes(0);
    world.clock.time += 3_000;
    for (let times = 0; times < 5; times += 1) await fail();
    expect(text).toHaveBeenCalledTimes(1);
    text.mockRestore();
  });
});

describe('a login that does not repeat its challenge', () => {
  it('answers one of the last its name was given, once', async () => {
    const older = await logins.challenge(alice.name);
    const latest = await logins.challenge(alice.name);
    await logins.challenge(bob.name);
    await logins.answerLatest(alice.name, sign(alice, older));
    await expect(logins.answerLatest(alice.name, sign(alice, older))).rejects.toThrow(/^Signature invalid$/);
    const token = await logins.answerLatest(alice.name, sign(alice, latest));
    expect(await logins.authorise(alice.name, bearer(token))).toBe(alice.address);
    await logins.challenge(alice.name);
    await expect(logins.answerLatest(alice.name, sign(alice, latest))).rejects.toThrow(/^Signature invalid$/);
  });

  it('is not held off by a few others who ask for one, and looks at no more than those', async () => {
    const grace = await world.person('grace.eth', { signUp: true });
    const challenge = await logins.challenge(grace.name);
    for (let times = 0; times < 7; times += 1) await logins.challenge(grace.name);
    const verify = jest.spyOn(world.crypto, 'verify');
    await logins.answerLatest(grace.name, sign(grace, challenge));
    expect(verify).toHaveBeenCalledTimes(8);
    verify.mockRestore();

    const buried = await logins.challenge(grace.name);
    for (let times = 0; times < 8; times += 1) await logins.challenge(grace.name);
    await expect(logins.answerLatest(grace.name, sign(grace, buried))).rejects.toThrow('Signature invalid');
  });

  it('is not spoilt by others who answer wrongly', async () => {
    const challenge = await logins.challenge(alice.name);
    await expect(logins.answerLatest(alice.name, sign(bob, challenge))).rejects.toThrow('Signature invalid');
    await logins.answerLatest(alice.name, sign(alice, challenge));
  });

  it('needs a challenge that is still good', async () => {
    const dave = await world.person('dave.eth', { signUp: true });
    await expect(logins.answerLatest(dave.name, 'AAAA')).rejects.toThrow('There is no challenge to answer');
    const challenge = await logins.challenge(dave.name);
    await world.db.query("UPDATE login_challenge SET expires_at = now() - interval '1 second'");
    await expect(logins.answerLatest(dave.name, sign(dave, challenge))).rejects.toThrow('There is no challenge');
  });

  it('is not answered twice by two who come at once', async () => {
    const signature = sign(alice, await logins.challenge(alice.name));
    const answers = [logins.answerLatest(alice.name, signature), logins.answerLatest(alice.name, signature)];
    const outcomes = await Promise.allSettled(answers);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('a challenge', () => {
  it('is good for one name at this service, and for one try', async () => {
    const challenge = await logins.challenge(alice.name);
    expect(challenge).toMatch(/^ds\.gateway\.eth:[\w-]{43}$/);
    expect(await logins.challenge(alice.name)).not.toBe(challenge);
    await expect(logins.login(bob.name, challenge, sign(bob, challenge))).rejects.toThrow('unknown, used or expired');
    await expect(logins.login(alice.name, challenge, 'AAAA')).rejects.toThrow('Signature invalid');
    await expect(logins.login(alice.name, challenge, sign(alice, challenge))).rejects.toThrow(
      'unknown, used or expired',
    );
  });

  it('is not taken if we did not give it', async () => {
    const own = 'ds.gateway.eth:of-my-own-making';
    await expect(logins.login(alice.name, own, sign(alice, own))).rejects.toThrow('unknown, used or expired');
  });

  it('is given to accounts only', async () => {
    const stranger = await world.person('stranger.eth');
    await expect(logins.challenge(stranger.name)).rejects.toThrow(NameNotFoundError);
    await expect(logins.login(stranger.name, 'x', 'x')).rejects.toThrow(NameNotFoundError);
  });

  it('expires, is forgotten then, and cannot be read till then', async () => {
    const challenge = await logins.challenge(alice.name);
    const rows = async () => world.db.query<Record<string, Buffer>>('SELECT * FROM login_challenge');
    const stored = (await rows()).flatMap((row) => Object.values(row).filter(Buffer.isBuffer));
    expect(stored.some((value) => value.includes(challenge) || value.includes(alice.name))).toBe(false);
    await world.db.query("UPDATE login_challenge SET expires_at = now() - interval '1 second'");
    await expect(logins.login(alice.name, challenge, sign(alice, challenge))).rejects.toThrow('expired');
    await logins.challenge(alice.name);
    while ((await challenges.purge(world.db, 2)) === 2);
    expect(await rows()).toHaveLength(1);
  });
});
