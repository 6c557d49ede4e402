import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Hash } from '../src/common/ids.js';
import { MailboxStore, type MailboxEntry } from '../src/delivery/mailbox/mailbox.store.js';
import { profileKeysFromSeed } from '../src/protocol/crypto/keys.js';
import { toBase64 } from '../src/protocol/encoding/base64.js';
import { fromHex, toHex } from '../src/protocol/encoding/hex.js';
import type { ProcessedEnvelope } from '../src/protocol/envelope/postmark.js';
import { signProfile } from '../src/protocol/profile/user-profile.js';
import type { Person } from '../src/sandbox/people.js';
import { settle } from '../src/sandbox/world.js';
import { Correspondent } from './support/correspondent.js';
import { eventually } from './support/eventually.js';
import { ask } from './support/http-answer.js';
import { TestGateway } from './support/test-gateway.js';

const CACHE_SECONDS = 1; // as TestGateway sets it

let gateway: TestGateway;
let alice: Correspondent;

beforeAll(async () => {
  gateway = await TestGateway.create();
  alice = new Correspondent(gateway, gateway.alice);
});
afterAll(() => gateway?.stop());

describe('a mailbox that nobody has read for long', () => {
  const MANY = 5_000;
  const hashOf = (n: number) => toHex(Buffer.from(n.toString(16).padStart(64, '0'), 'hex')) as Hash;
  let bob: Correspondent;

  beforeAll(async () => {
    bob = new Correspondent(gateway, gateway.bob);
    await alice.send({ to: 'bob.eth', text: 'one of many' });
    const [letter] = await bob.inbox();
    await acknowledge([letter!.hash]);
    await fill(letter!.envelope);
  });

  it('is read page by page to its end, each message once, newest first', async () => {
    const seen: string[] = [];
    let next: string | null = '';
    for (let page = 0; next !== null; page += 1) {
      const answer = await incoming(next === '' ? '' : `?since=${encodeURIComponent(next)}`);
      expect(answer.hashes.length).toBe(1_000);
      seen.push(...answer.hashes);
      next = answer.next;
    }
    expect(seen).toEqual(Array.from({ length: MANY }, (_, index) => hashOf(MANY - 1 - index)));
  });

  it('is emptied from its middle', async () => {
    const middle = Array.from({ length: 3_000 }, (_, index) => hashOf(1_000 + index));
    expect(await acknowledge(middle)).toBe('3000');
    const first = await incoming('?limit=1000');
    const second = await incoming(`?limit=1000&since=${encodeURIComponent(first.next!)}`);
    expect(first.hashes).toEqual(Array.from({ length: 1_000 }, (_, index) => hashOf(MANY - 1 - index)));
    expect(second).toEqual({ hashes: Array.from({ length: 1_000 }, (_, index) => hashOf(999 - index)), next: null });
  });

  /** Copies that differ in what they are called. */
  async function fill(envelope: ProcessedEnvelope): Promise<void> {
    const mailbox = gateway.running.app.get(MailboxStore);
    await gateway.db.transaction(async (tx) => {
      for (let n = 0; n < MANY; n += 1) {
        const messageHash = hashOf(n);
        const entry: MailboxEntry = {
          receiver: gateway.bob.address,
          sender: gateway.alice.address,
          messageHash,
          encryptedMessageHash: messageHash,
          envelope: { ...envelope, metadata: { ...envelope.metadata, messageHash } },
          size: 1,
          verdict: 'verified',
          postmarkedAt: n,
        };
        await mailbox.addOnce(tx, randomUUID(), entry, randomBytes(32));
      }
    });
  }

  async function incoming(query: string): Promise<{ hashes: string[]; next: string | null }> {
    const url = `${gateway.deliveryServiceUrl}/delivery/messages/incoming/bob.eth${query}`;
    const { json, headers } = await ask(url, { token: await bob.token() });
    const hashes = (json as ProcessedEnvelope[]).map(({ metadata }) => metadata.messageHash!);
    return { hashes, next: headers.get('x-dm3-next') };
  }

  /** @returns how many were there */
  async function acknowledge(hashes: readonly string[]): Promise<string | null> {
    const acknowledgements = hashes.map((messageHash) => ({ messageHash }));
    const url = `${gateway.deliveryServiceUrl}/delivery/messages/bob.eth/syncAcknowledgements`;
    const { headers } = await ask(url, { token: await bob.token(), body: { acknowledgements } });
    return headers.get('x-dm3-acknowledged');
  }
});

describe('new keys of somebody who writes and reads while the service runs', () => {
  let former: Correspondent;
  let present: Correspondent;
  let publishedAt: number;

  beforeAll(async () => {
    const erin = await gateway.addPerson('erin.eth', { signUp: true });
    former = new Correspondent(gateway, erin);
    await former.send({ to: 'alice.eth', text: 'with the former key' }); // now the profile is known
    present = new Correspondent(gateway, withNewKeys(erin));
    const { registry, plainResolver: resolver } = gateway.world;
    await settle(gateway.deployer, { registry, resolver, person: present.person });
    publishedAt = Date.now();
  });

  it('are seen when what was known has had its time, and from then on the former ones are nobody’s', async () => {
    const refusedAt: number[] = [];
    await eventually('the new key', async () => {
      const at = Date.now();
      const { status } = await present.submit(await present.envelope({ to: 'alice.eth', text: `at ${at}` }));
      if (status !== 200) refusedAt.push(at);
      return status === 200;
    });
    expect(refusedAt.filter((at) => at >= publishedAt + CACHE_SECONDS * 1_000)).toEqual([]);

    const answer = await former.submit(await former.envelope({ to: 'alice.eth', text: 'late' }));
    expect(answer).toMatchObject({ status: 401, json: { error: { code: -32003 } } });
  });

  it('open what came since', async () => {
    await alice.send({ to: 'erin.eth', text: 'for the new key' });
    expect(await present.inbox()).toMatchObject([{ genuine: true, message: { message: 'for the new key' } }]);
  });
});

/** The same wallet, other dm3 keys. */
function withNewKeys(person: Person): Person {
  const keys = profileKeysFromSeed(gateway.crypto, randomBytes(32));
  const profile = {
    ...person.profile.profile,
    publicEncryptionKey: toBase64(keys.encryption.publicKey),
    publicSigningKey: toBase64(keys.signing.publicKey),
  };
  return { ...person, keys, profile: signProfile(gateway.crypto, profile, fromHex(person.walletPrivateKey)) };
}
