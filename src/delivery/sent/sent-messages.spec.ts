import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { DeliveryWorld } from '../../../test/support/delivery-world.js';
import { eventually } from '../../../test/support/eventually.js';
import type { Hash } from '../../common/ids.js';
import { encryptedMessageHash, type Envelope } from '../../protocol/envelope/envelope.js';
import type { Person } from '../../sandbox/people.js';
import { DeviceStore } from '../access/device.store.js';
import { MessageAccess } from '../access/message-access.js';
import { PageCursors } from '../access/page-cursor.js';
import type { Permission } from '../permissions/permission.js';
import { Permissions } from '../permissions/permissions.js';
import { SentMessages } from './sent-messages.js';
import { SentStore } from './sent.store.js';

const ALL: readonly Permission[] = ['deliveryStates', 'recall'];
const NEVER_SENT = `0x${'ab'.repeat(32)}` as Hash;
const quota = { freed: jest.fn() };

let world: DeliveryWorld;
let permissions: Permissions;
let sent: SentMessages;
let alice: Person;
let bob: Person;
let carol: Person;

beforeAll(async () => {
  world = await DeliveryWorld.open('sent');
  const { db, names, sealer } = world;
  permissions = new Permissions({ db, names });
  sent = new SentMessages({ db, permissions, store: new SentStore(sealer), quota: quota as never });
  alice = await world.person('alice.eth', { signUp: true });
  bob = await world.person('bob.eth', { signUp: true });
  carol = await world.person('carol.eth', { signUp: true });
});
beforeEach(async () => {
  quota.freed.mockClear();
  for (const { address } of [alice, bob, carol]) await permissions.set(address, ALL);
  await world.db.query('TRUNCATE mailbox, mailbox_outcome CASCADE');
});
afterAll(() => world.close());

const hashOf = ({ message }: Pick<Envelope, 'message'>): Hash => encryptedMessageHash(world.crypto, message);

/** @returns both hashes of what was sent, the newer clients' first */
async function send(from: Person, text: string, fromName?: string): Promise<[Hash, Hash]> {
  const envelope = world.envelope({ from, to: bob, text, ...(fromName ? { fromName } : {}) });
  await world.submissions.submit(envelope);
  return [envelope.metadata.messageHash as Hash, hashOf(envelope)];
}

function accessWith({ deviceCursors }: { deviceCursors: boolean }): MessageAccess {
  const { crypto, db, sealer, mailbox } = world;
  const [devices, cursors] = [new DeviceStore(sealer), new PageCursors(sealer)];
  return new MessageAccess({ crypto, db, mailbox, devices, cursors, quota: quota as never, deviceCursors });
}
const access = () => accessWith({ deviceCursors: false });
const fetchAll = async () => (await access().read(bob.address, { limit: 100 })).envelopes;
const acknowledge = (...hashes: Hash[]) => access().acknowledge(bob.address, { hashes, arrivals: [] });
const statesOf = (asker: Person, ...hashes: Hash[]) => sent.states(asker.address, 'bob.eth', hashes);
const recall = (asker: Person, hash: Hash) => sent.recall(asker.address, 'bob.eth', hash);
const waiting = async () => (await world.mailbox.weigh(world.db, bob.address)).messages;

describe('what became of a message', () => {
  it('is known by either hash: it is queued, then pushed, then acknowledged', async () => {
    const hashes = await send(alice, 'follow me');
    expect(await statesOf(alice, ...hashes)).toEqual(['queued', 'queued']);
    await fetchAll();
    expect(await statesOf(alice, ...hashes)).toEqual(['pushed', 'pushed']);
    await acknowledge(hashes[0]);
    expect(await statesOf(alice, ...hashes, NEVER_SENT)).toEqual(['acknowledged', 'acknowledged', 'unknown']);
  });

  it('is known to its verified sender alone', async () => {
    const [hash] = await send(alice, 'private');
    const stranger = await world.person('stranger.eth', { publish: false });
    const [masked] = await send(stranger, 'in the name of an address', carol.address);
    expect(await statesOf(carol, hash, masked)).toEqual(['unknown', 'unknown']);
    await acknowledge(hash, masked);
    expect(await statesOf(carol, hash, masked)).toEqual(['unknown', 'unknown']);
    expect(await statesOf(alice, hash)).toEqual(['acknowledged']);
  });

  it('is that of the envelope which came furthest, where a message was sent twice', async () => {
    const [hash, first] = await send(alice, 'twice');
    const [again, second] = await send(alice, 'twice');
    expect(again).toBe(hash);
    expect(second).not.toBe(first);
    await acknowledge(first);
    expect(await statesOf(alice, hash, first, second)).toEqual(['acknowledged', 'acknowledged', 'queued']);
  });

  it('is acknowledged as soon as one device has read it, and stays so', async () => {
    const perDevice = accessWith({ deviceCursors: true });
    const [hash] = await send(alice, 'to all devices');
    for (const device of ['phone', 'desk']) await perDevice.read(bob.address, { limit: 10, device });
    for (const device of ['phone', 'desk']) {
      await perDevice.acknowledge(bob.address, { hashes: [hash], arrivals: [] }, device);
      expect(await statesOf(alice, hash)).toEqual(['acknowledged']);
    }
    expect(await waiting()).toBe(0);
  });

  it('is not kept for accounts that permit nobody to ask', async () => {
    await permissions.set(bob.address, ['presence']);
    const [hash] = await send(alice, 'discreet');
    await acknowledge(hash);
    expect(await world.db.query('SELECT 1 FROM mailbox_outcome')).toEqual([]);
  });
});

describe('a message', () => {
  it('can be recalled while nobody has had it, which gives its room back', async () => {
    const [hash] = await send(alice, 'a mistake');
    await send(alice, 'meant so');
    await recall(alice, hash);
    expect(await waiting()).toBe(1);
    expect(quota.freed.mock.calls).toEqual([[bob.address]]);
    expect(await statesOf(alice, hash)).toEqual(['recalled']);
  });

  it('is recalled once, however often it is asked, and does not come back with a late repeat', async () => {
    const envelope = world.envelope({ from: alice, to: bob, text: 'gone' });
    await world.submissions.submit(envelope);
    for (const hash of [hashOf(envelope), envelope.metadata.messageHash as Hash]) await recall(alice, hash);
    expect(quota.freed).toHaveBeenCalledTimes(1);
    expect(await world.submissions.submit(envelope)).toBe('duplicate');
    expect(await waiting()).toBe(0);
  });

  it.each([
    ['was fetched', 'pushed', fetchAll],
    ['was acknowledged', 'acknowledged', acknowledge],
  ])('cannot be recalled once it %s', async (_, state, act) => {
    const [hash] = await send(alice, 'too late');
    await act(hash);
    await expect(recall(alice, hash)).rejects.toMatchObject({ code: 'TOO_LATE_TO_RECALL', facts: { state } });
    expect(await statesOf(alice, hash)).toEqual([state]);
  });

  it('cannot be recalled by anybody else, nor if it never was', async () => {
    const [hash] = await send(alice, 'hers');
    for (const [asker, each] of [[carol, hash] as const, [alice, NEVER_SENT] as const]) {
      await expect(recall(asker, each)).rejects.toMatchObject({ code: 'SENT_MESSAGE_UNKNOWN' });
    }
    expect(await waiting()).toBe(1);
  });

  it('is either handed out or recalled, never both, when both happen at once', async () => {
    for (let round = 0; round < 40; round += 1) {
      const [hash, encrypted] = await send(alice, `round ${round}`);
      const [recalled, ...fetches] = await Promise.all([
        recall(alice, hash).then(
          () => true,
          () => false,
        ),
        fetchAll(),
        fetchAll(),
      ]);
      const isOut = fetches.some((envelopes) => envelopes.some((each) => hashOf(each) === encrypted));
      expect([round, isOut]).toEqual([round, !recalled]);
    }
  });

  it('that was recalled after it was found, and before it was marked, does not go out', async () => {
    const [hash] = await send(alice, 'in between');
    const { entries } = await world.mailbox.page(world.db, bob.address, 10);
    await recall(alice, hash);
    expect(entries).toHaveLength(1);
    expect(await world.mailbox.handOut(world.db, entries)).toEqual([]);
  });

  it('that is being marked makes a recall wait, and fail', async () => {
    const [hash] = await send(alice, 'on its way');
    const { entries } = await world.mailbox.page(world.db, bob.address, 10);
    let recalling!: Promise<void>;
    await world.db.transaction(async (tx) => {
      await world.mailbox.handOut(tx, entries);
      recalling = recall(alice, hash);
      recalling.catch(() => {});
      await waitsForLock();
    });
    await expect(recalling).rejects.toMatchObject({ code: 'TOO_LATE_TO_RECALL' });
  });
});

/** Resolves when some statement of this schema's waits for a row. */
async function waitsForLock(): Promise<void> {
  const sql = `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%DELETE FROM mailbox%'
    AND datname = current_database()`;
  await eventually('a statement that waits', async () => (await world.db.query(sql)).length > 0);
}

describe('accounts do this with each other only', () => {
  const refusals = { deliveryStates: () => statesOf(alice, NEVER_SENT), recall: () => recall(alice, NEVER_SENT) };

  it.each(['deliveryStates', 'recall'] as const)('if both permit it: %s', async (permission) => {
    const others = ALL.filter((each) => each !== permission);
    await permissions.set(bob.address, others);
    await expect(refusals[permission]()).rejects.toMatchObject({ code: 'NOT_PERMITTED', facts: { by: 'other' } });
    await permissions.set(bob.address, ALL);
    await permissions.set(alice.address, others);
    await expect(refusals[permission]()).rejects.toMatchObject({ code: 'NOT_PERMITTED', facts: { by: 'asker' } });
  });

  it('if the receiver has an account here', async () => {
    await world.person('elsewhere.eth', { service: 'other.eth' });
    for (const to of ['elsewhere.eth', 'nobody.eth']) {
      await expect(sent.states(alice.address, to, [NEVER_SENT])).rejects.toMatchObject({ code: 'ACCOUNT_UNKNOWN' });
    }
    await expect(sent.states(alice.address, 'no name', [NEVER_SENT])).rejects.toMatchObject({ kind: 'invalid-input' });
  });
});
