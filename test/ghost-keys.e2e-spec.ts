import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SignedUserProfile } from '@dm3-org/dm3-lib-profile';
import { addressBytes } from '../src/delivery/addresses.js';
import type { Envelope } from '../src/protocol/envelope/envelope.js';
import type { EthAddress } from '../src/common/ids.js';
import { clientCrypto, messaging, RealClient, shared } from './support/dm3-lib.js';
import { eventually } from './support/eventually.js';
import { startForeignService, type ForeignService } from './support/foreign-service.js';
import { exampleDns, sendMail } from './support/mail.js';
import { OperatedGateway } from './support/operated-gateway.js';
import { DOMAIN, type TestGateway } from './support/test-gateway.js';

const aliasOf = (local: string) => `${local}._at.example.org.email.gateway.eth`;
const [DORA, ERIN] = [aliasOf('dora'), aliasOf('erin')];

/** Others may believe a profile for the sum of both. */
const [ANSWER_SECONDS, CACHE_SECONDS] = [4, 4];

let operated: OperatedGateway;
let gateway: TestGateway;
let elsewhere: ForeignService;
let bob: RealClient;
/** His delivery service is not ours. */
let dave: RealClient;
beforeAll(async () => {
  operated = await OperatedGateway.create({
    dns: exampleDns,
    ccipRead: { validitySeconds: ANSWER_SECONDS },
    ens: { cacheSeconds: CACHE_SECONDS },
  });
  ({ gateway } = operated);
  elsewhere = await startForeignService(gateway, { name: 'ds.foreign.eth' });
  bob = await RealClient.create(gateway, gateway.bob);
  dave = await RealClient.create(gateway, await gateway.addPerson('dave.eth', { deliveryService: elsewhere.name }));
});
afterAll(async () => {
  await operated.stop();
  await elsewhere.stop();
});

const mailTo = (name: string, text: string) => sendMail(gateway, { to: `${name}@${DOMAIN}`, text });
const keysIn = ({ profile }: SignedUserProfile) => [profile.publicEncryptionKey, profile.publicSigningKey];
/** A client that was started anew, and so remembers no profile. */
const freshBob = () => RealClient.create(gateway, gateway.bob);
const rotated = (name: string, before: SignedUserProfile) =>
  eventually(`new keys of ${name}`, async () => {
    const now = await bob.lookUp(name);
    return now.profile.publicSigningKey !== before.profile.publicSigningKey && now;
  });
const taken = (count: number) =>
  eventually(`${count} envelopes`, async () => elsewhere.envelopes.length === count && elsewhere.envelopes);
const failures = async () => (await gateway.db.query("SELECT 1 FROM message WHERE state = 'failed'")).length;
const mails = () => operated.mailServer.mails.map(({ raw }) => raw);

describe('new keys for one', () => {
  it('are published under the address that stays, for nobody else, and sign from then on', async () => {
    const [dora, erin] = [await bob.lookUp(DORA), await bob.lookUp(ERIN)];
    const address = await bob.provider.resolveName(DORA);
    const { code, stdout } = await operated.keys('rotate', 'dora@example.org', '--yes');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        /^Replace version 1 of the dm3 keys of dora@example\.org\. What is encrypted for it is opened until .* UTC\.\nVersion 2 of dora@example\.org is published and signs\.\n$/,
      ),
    });
    const now = await rotated(DORA, dora);
    expect(keysIn(now).filter((key) => keysIn(dora).includes(key))).toEqual([]);
    expect(await bob.provider.resolveName(DORA)).toBe(address);
    expect(keysIn(await bob.lookUp(ERIN))).toEqual(keysIn(erin));
    await mailTo('bob.eth', 'signed anew');
    const client = await freshBob();
    expect(await client.isSignedBySender(await client.receive('signed anew'))).toBe(true);
  });

  it('are shown by the command that shows keys, and only spoken about on a dry run', async () => {
    const dryRun = await operated.keys('rotate', DORA, '--dry-run');
    expect(dryRun.stdout).toMatch(/^Replace version 2 of the dm3 keys of dora@example\.org\. .*\n$/);
    const [dora, erin, all] = await Promise.all([[DORA], ['erin@example.org'], []].map((who) => operated.keys(...who)));
    const [encryption, signing] = keysIn(await bob.lookUp(DORA));
    expect(dora!.stdout).toMatch(/^dm3 keys: version 2 since .* UTC$/m);
    expect(dora!.stdout).toContain(`encryption key: ${encryption}\nsigning key: ${signing}\n`);
    expect(erin!.stdout).toMatch(/^dm3 keys: version 1$/m);
    expect(all!.stdout).toMatch(/^dm3 keys on other networks: version 1$/m);
  });
});

describe('new keys for all, while messages are under way', () => {
  let before: SignedUserProfile;
  let after: SignedUserProfile;
  beforeAll(async () => {
    before = await bob.profileOf(ERIN);
    elsewhere.mood = 'fails';
    await bob.send({ to: ERIN, text: 'before the rotation' });
    await sendMail(gateway, { from: 'erin@example.org', to: `dave.eth@${DOMAIN}`, text: 'frozen before' });
    await eventually('an attempt', async () => elsewhere.attempts.length > 0);
    expect((await operated.keys('rotate', '--yes')).stdout).toContain('of everybody on other networks');
    after = await rotated(ERIN, before);
  });

  it('cost no message from dm3: not for the old ones, not from clients that remember them, not for the new ones', async () => {
    await bob.send({ to: ERIN, text: 'by a remembered profile' });
    await (await freshBob()).send({ to: ERIN, text: 'by the new profile' });
    await operated.mailServer.start();
    await eventually('three mails', async () => mails().length === 3);
    const texts = ['before the rotation', 'by a remembered profile', 'by the new profile'];
    for (const [index, text] of texts.entries()) expect(mails()[index]).toContain(text);
  });

  it('cost no message to dm3: it goes out as it was frozen, in an envelope that the new keys sign', async () => {
    elsewhere.mood = 'takes';
    const [envelope] = await taken(1);
    expect(new Set(elsewhere.attempts.map(({ message }) => message)).size).toBe(1);
    expect(await isEnvelopeSignedBy(after, envelope!)).toBe(true);
    expect(await isEnvelopeSignedBy(before, envelope!)).toBe(false);
    expect(await isMessageSignedBy(before, envelope!)).toBe(true);
    expect(await isMessageSignedBy(after, envelope!)).toBe(false);
  });
});

describe('a refusal of a delivery service', () => {
  const mailFromErin = (text: string) =>
    sendMail(gateway, { from: 'erin@example.org', to: `dave.eth@${DOMAIN}`, text });

  it('is not taken for final while it may come of a former profile', async () => {
    elsewhere.mood = 'refuses';
    const attempts = elsewhere.attempts.length;
    await operated.keys('rotate', 'erin@example.org', '--yes');
    await mailFromErin('taken for a forgery');
    await eventually('a second attempt', async () => elsewhere.attempts.length >= attempts + 2);
    elsewhere.mood = 'takes';
    await taken(2);
    expect(await failures()).toBe(0);
  });

  it('is final afterwards', async () => {
    const sql = `SELECT 1 FROM ghost_key_rotation WHERE rotated_at > now() - make_interval(secs => $1)`;
    const belief = [ANSWER_SECONDS + CACHE_SECONDS];
    await eventually('the end of belief', async () => (await gateway.db.query(sql, belief)).length === 0);
    elsewhere.mood = 'refuses';
    await mailFromErin('refused');
    await eventually('a failure', async () => (await failures()) === 1);
  });
});

it('old keys open nothing once nobody can believe in them, and the sender is told what to do', async () => {
  const name = aliasOf('frank');
  const address = (await bob.provider.resolveName(name))!.toLowerCase() as EthAddress;
  const former = await bob.profileOf(name);
  await rotateLongAgo(address);
  await bob.send({ to: name, text: 'too late' });
  const { message } = await bob.receive('frank@example.org');
  expect(message.metadata).toMatchObject({ type: 'REPLY', from: name });
  expect(message.message).toContain(
    "encrypted for keys that its receiver has replaced. Look the receiver's profile up",
  );
  // Answers that were signed before the rotation are given out until half their time is over.
  const newer = await eventually('the new keys', async () => {
    const client = await freshBob();
    const { profile } = await client.profileOf(name);
    return profile.publicEncryptionKey !== former.profile.publicEncryptionKey && client;
  });
  await newer.send({ to: name, text: 'looked up again' });
  await eventually('the mail', async () => mails().some((raw) => raw.includes('looked up again')));
  expect(mails().some((raw) => raw.includes('too late'))).toBe(false);
});

async function rotateLongAgo(ghost: EthAddress): Promise<void> {
  const sql = `INSERT INTO ghost_key_rotation (version, ghost, rotated_at)
    SELECT max(version) + 1, $1, now() - interval '8 days' FROM ghost_key_rotation`;
  await gateway.db.query(sql, [addressBytes(ghost)]);
}

function isEnvelopeSignedBy({ profile }: SignedUserProfile, { metadata }: Envelope): Promise<boolean> {
  const { signature, ...signed } = metadata;
  return clientCrypto.checkSignature(profile.publicSigningKey, shared.stringify(signed)!, signature);
}

async function isMessageSignedBy({ profile }: SignedUserProfile, envelope: Envelope): Promise<boolean> {
  const text = await clientCrypto.decryptAsymmetric(dave.keys.encryptionKeyPair, JSON.parse(envelope.message));
  const message = JSON.parse(text);
  return messaging.checkMessageSignature(message, profile.publicSigningKey, message.metadata.from);
}
