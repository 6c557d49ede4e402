import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addressOf, DeliveryWorld } from '../../../test/support/delivery-world.js';
import type { EnsName } from '../../common/ids.js';
import { decryptText } from '../../protocol/crypto/payload.js';
import { encryptedMessageHash } from '../../protocol/envelope/envelope.js';
import { arrivalOf, openPostmark, verifyPostmark } from '../../protocol/envelope/postmark.js';
import type { Person } from '../../sandbox/people.js';
import type { CheckedEnvelope } from './destination.js';

const CAROL = addressOf('c');

let world: DeliveryWorld;
let alice: Person;
let bob: Person;
const taken: { id: string; checked: CheckedEnvelope }[] = [];
let takesNothing = false;

beforeAll(async () => {
  world = await DeliveryWorld.open('submission');
  alice = await world.person('alice.eth');
  bob = await world.person('bob.eth', { signUp: true });
  world.parties.addDestination({
    claim: async ({ name }) =>
      name === 'carol.fake.gateway.eth'
        ? {
            address: CAROL,
            accept: async (tx, id, checked) => {
              await tx.query('SELECT 1');
              if (takesNothing) throw new Error('the queue is full');
              taken.push({ id, checked });
            },
          }
        : null,
  });
});
afterAll(() => world.close());

const inbox = (person: Person) => world.inbox(person);
const seen = async () => (await world.db.query('SELECT 1 FROM seen')).length;
const verdicts = () => world.db.query('SELECT verdict FROM mailbox ORDER BY position');

describe('a submission', () => {
  it('lies in the mailbox with a postmark for its receiver', async () => {
    const envelope = world.envelope({ from: alice, to: bob, text: 'Hi Bob' });
    expect(await world.submissions.submit(JSON.stringify(envelope))).toBe('accepted');
    const [kept] = await inbox(bob);
    expect(kept!.metadata.deliveryInformation).toEqual({ to: 'bob.eth', from: 'alice.eth' });
    expect(JSON.parse(decryptText(world.crypto, bob.keys.encryption, kept!.message)).message).toBe('Hi Bob');
    const postmark = openPostmark(world.crypto, kept!.postmark, bob.keys.encryption);
    expect(arrivalOf(postmark)).toBe(world.clock.now());
    expect(verifyPostmark(world.crypto, postmark, envelope.message, world.own.keys.signing.publicKey)).toBe(true);
  });

  it('is taken in both dialects, as text and as an object, and found by either hash', async () => {
    const envelope = world.envelope({ from: alice, to: bob, text: 'old', dialect: 'encryptedMessageHash' });
    expect(await world.submissions.submit(envelope)).toBe('accepted');
    const hash = encryptedMessageHash(world.crypto, envelope.message);
    expect(await world.mailbox.acknowledge(world.db, bob.address, { hashes: [hash], arrivals: [] })).toBe(1);
  });

  it('is answered the same when it is repeated, and stored once', async () => {
    const envelope = world.envelope({ from: alice, to: bob, text: 'twice' });
    const before = (await inbox(bob)).length;
    expect(await world.submissions.submit(envelope)).toBe('accepted');
    expect(await world.submissions.submit(envelope)).toBe('duplicate');
    expect(await inbox(bob)).toHaveLength(before + 1);
  });

  it('is answered the same when it is repeated after the mailbox became full', async () => {
    const carl = await world.person('carl.eth', { signUp: true });
    const [first, second] = ['one', 'two'].map((text) => world.envelope({ from: alice, to: carl, text }));
    const submissions = world.submissionsWith({ messages: 1, bytes: 1_000_000 });
    expect(await submissions.submit(first)).toBe('accepted');
    await expect(submissions.submit(second)).rejects.toMatchObject({ code: 'MAILBOX_FULL' });
    expect(await submissions.submit(first)).toBe('duplicate');
    expect(await inbox(carl)).toHaveLength(1);
  });

  it('goes to whoever claims its receiver, once, and to no mailbox', async () => {
    const envelope = world.envelope({ from: alice, to: bob, text: 'to Carol', toName: 'Carol.fake.gateway.eth' });
    expect(await world.submissions.submit(envelope)).toBe('accepted');
    expect(await world.submissions.submit(envelope)).toBe('duplicate');
    expect(taken).toHaveLength(1);
    expect(taken[0]!.checked).toMatchObject({
      envelope,
      receiver: { name: 'carol.fake.gateway.eth' as EnsName, address: CAROL },
      sender: { name: alice.name, address: alice.address },
      encryptedMessageHash: encryptedMessageHash(world.crypto, envelope.message),
    });
  });

  it('that could not be taken over may come again', async () => {
    const envelope = world.envelope({ from: alice, to: bob, text: 'later', toName: 'carol.fake.gateway.eth' });
    takesNothing = true;
    await expect(world.submissions.submit(envelope)).rejects.toThrow('the queue is full');
    takesNothing = false;
    expect(await world.submissions.submit(envelope)).toBe('accepted');
  });
});

describe('a sender who cannot be verified', () => {
  it('reaches a mailbox, marked as such', async () => {
    const stranger = await world.person('stranger.eth', { publish: false });
    await world.submissions.submit(world.envelope({ from: stranger, to: bob, text: 'trust me' }));
    expect((await verdicts()).at(-1)).toEqual({ verdict: 'unverified' });
    await world.submissions.submit(world.envelope({ from: alice, to: bob, text: 'it is me' }));
    expect((await verdicts()).at(-1)).toEqual({ verdict: 'verified' });
  });

  it('reaches nobody outside dm3, and is told why in a whole sentence', async () => {
    const stranger = await world.person('nowhere.eth', { publish: false });
    const before = [taken.length, await seen()];
    const toName = 'carol.fake.gateway.eth';
    await expect(
      world.submissions.submit(world.envelope({ from: stranger, to: bob, text: 'x', toName })),
    ).rejects.toMatchObject({
      code: 'SENDER_UNVERIFIED',
      message: expect.stringMatching(
        /^The sender cannot be verified: The ENS name nowhere\.eth [^.]+\. Check [^.]+\. Publish [^.]+\.$/,
      ),
    });
    expect([taken.length, await seen()]).toEqual(before);
  });
});

describe('a submission is refused and forgotten', () => {
  const draft = () => ({ from: alice, to: bob, text: 'x' });
  it.each([
    ['that nobody can read', () => '{', { code: 'MALFORMED_ENVELOPE' }],
    ['for nobody here', () => world.envelope({ ...draft(), toName: 'alice.eth' }), { code: 'RECEIVER_UNKNOWN' }],
    ['from somebody else', () => world.envelope({ ...draft(), fromName: 'bob.eth' }), { code: 'SENDER_FORGED' }],
    [
      'that is too large',
      () => world.envelope({ ...draft(), text: 'x'.repeat(20_000) }),
      { code: 'ENVELOPE_TOO_LARGE', facts: { sizeBytes: expect.any(Number), limitBytes: 20_000 } },
    ],
    [
      'for another service',
      () => {
        const envelope = world.envelope(draft());
        return { ...envelope, metadata: { ...envelope.metadata, deliveryInformation: envelope.message } };
      },
      { code: 'DECRYPTION_FAILED' },
    ],
  ])('%s', async (_, make, error) => {
    const before = [await seen(), (await inbox(bob)).length];
    await expect(world.submissions.submit(make())).rejects.toMatchObject(error);
    expect([await seen(), (await inbox(bob)).length]).toEqual(before);
  });
});
