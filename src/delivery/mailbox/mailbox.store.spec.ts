import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { addressOf } from '../../../test/support/delivery-world.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { EthAddress, Hash } from '../../common/ids.js';
import { MailboxStore, type MailboxEntry, type Read, type Selection } from './mailbox.store.js';

const ALICE = addressOf('a');
const BOB = addressOf('b');
const CAROL = addressOf('c');
const POSTMARKED_AT = 1_790_000_000_123;
const hash = (digits: string) => `0x${digits.padStart(64, '0')}` as Hash;

let storage: TestStorage;
let mailbox: MailboxStore;
beforeAll(async () => {
  storage = await openTestStorage('mailbox');
  mailbox = new MailboxStore(storage.sealer);
});
beforeEach(async () => void (await storage.db.query('TRUNCATE mailbox CASCADE')));
afterAll(() => storage.close());

const entry = (text: string, changes: Partial<MailboxEntry> = {}): MailboxEntry => ({
  receiver: BOB,
  sender: ALICE,
  messageHash: hash(`${text.length}1`),
  encryptedMessageHash: hash(`${text.length}2`),
  envelope: {
    message: text,
    metadata: { deliveryInformation: { to: 'bob.eth', from: 'alice.eth' }, signature: 'x' },
    postmark: 'p',
  },
  size: text.length,
  verdict: 'verified',
  postmarkedAt: POSTMARKED_AT,
  ...changes,
});
const add = (text: string, changes?: Partial<MailboxEntry>) =>
  mailbox.addOnce(storage.db, randomUUID(), entry(text, changes), randomBytes(32));
const read = async (account: EthAddress, limit = 10, selection?: Selection) =>
  (await mailbox.page(storage.db, account, limit, selection)).entries.map(({ envelope }) => envelope);
const texts = async (limit?: number, selection?: Selection) =>
  (await read(BOB, limit, selection)).map(({ message }) => message);
const acknowledge = (hashes: Hash[], arrivals: Read['arrivals'] = []) =>
  mailbox.acknowledge(storage.db, BOB, { hashes, arrivals });

describe('MailboxStore', () => {
  it('gives an account its own envelopes, newest first, as they came', async () => {
    await add('a');
    await add('bb');
    await add('ccc', { receiver: CAROL });
    expect(await read(BOB)).toEqual([entry('bb').envelope, entry('a').envelope]);
    expect(await texts(1)).toEqual(['bb']);
  });

  it('finds those of one sender', async () => {
    await add('a');
    await add('bb', { sender: CAROL });
    await add('ccc', { sender: 'Nobody.eth' });
    expect(await texts(10, { senders: [CAROL] })).toEqual(['bb']);
    expect(await texts(10, { senders: [addressOf('d'), 'nobody.eth'] })).toEqual(['ccc']);
    expect(await read(CAROL, 10, { senders: [ALICE] })).toEqual([]);
  });

  it('goes on where a page ended, whatever was removed meanwhile, and says whether there is more', async () => {
    for (const text of ['a', 'bb', 'ccc', 'dddd', 'eeeee']) await add(text);
    const first = await mailbox.page(storage.db, BOB, 2);
    expect(first).toMatchObject({ more: true, entries: [{ verdict: 'verified' }, { verdict: 'verified' }] });
    await acknowledge([hash('41'), hash('31')]);
    await add('ffffff');
    const before = first.entries.at(-1)!.position;
    expect(await texts(2, { before })).toEqual(['bb', 'a']);
    expect(await mailbox.page(storage.db, BOB, 2, { before })).toMatchObject({ more: false });
    expect(await texts()).toEqual(['ffffff', 'eeeee', 'bb', 'a']);
  });

  it('gives out no more at once than fits into memory, but never nothing', async () => {
    const large = 40 * 1024 * 1024;
    for (const text of ['a', 'bb', 'ccc']) await add(text, { size: large });
    const first = await mailbox.page(storage.db, BOB, 10);
    expect(first).toMatchObject({
      more: true,
      entries: [{ envelope: { message: 'ccc' } }, { envelope: { message: 'bb' } }],
    });
    expect(await texts(10, { before: first.entries[1]!.position })).toEqual(['a']);
    await add('dddd', { size: 2 * large });
    expect(await texts(1)).toEqual(['dddd']);
  });

  it('weighs what waits', async () => {
    expect(await mailbox.weigh(storage.db, BOB)).toEqual({ messages: 0, bytes: 0 });
    await add('a');
    await add('bb');
    await add('ccc', { receiver: CAROL });
    expect(await mailbox.weigh(storage.db, BOB)).toEqual({ messages: 2, bytes: 3 });
  });

  it('removes what is acknowledged by sender and time of the postmark, and nothing of another time or sender', async () => {
    await add('a');
    await add('bb', { postmarkedAt: POSTMARKED_AT + 1 });
    await add('ccc', { sender: CAROL });
    const senders = ['alice.eth', ALICE];
    expect(await acknowledge([hash('21')], [{ senders, postmarkedAt: POSTMARKED_AT }])).toBe(2);
    expect(await texts()).toEqual(['ccc']);
    expect(await acknowledge([], [{ senders: [], postmarkedAt: POSTMARKED_AT }])).toBe(0);
  });

  it('removes what is acknowledged by either hash, in any case, and nothing of others', async () => {
    await add('a');
    await add('bb');
    await add('ccc', { messageHash: null });
    await add('ccc', { receiver: CAROL });
    const hashes = [hash('11').toUpperCase().replace('0X', '0x') as Hash, hash('32'), hash('ff')];
    expect(await acknowledge(hashes)).toBe(2);
    expect(await texts()).toEqual(['bb']);
    expect(await read(CAROL)).toHaveLength(1);
    expect(await acknowledge([])).toBe(0);
  });

  it('shows whoever holds the database neither text nor sender nor hash', async () => {
    await add('a secret text');
    const [row] = await storage.db.query('SELECT * FROM mailbox');
    const { receiver, ...rest } = row as Record<string, unknown>;
    expect(receiver).toEqual(Buffer.alloc(20, 0xbb));
    const stored = Object.values(rest).map((value) => (Buffer.isBuffer(value) ? value.toString('latin1') : `${value}`));
    for (const secret of ['a secret text', 'alice.eth', 'aaaa', hash('131').slice(2)]) {
      expect(stored.join('\n')).not.toContain(secret);
    }
    expect(Buffer.concat(Object.values(rest).filter(Buffer.isBuffer)).includes(Buffer.alloc(20, 0xaa))).toBe(false);
  });

  it('purges what has waited too long, so many at a time', async () => {
    for (const text of ['a', 'bb', 'ccc']) await add(text);
    await storage.db.query("UPDATE mailbox SET received_at = now() - interval '31 days' WHERE size < 3");
    expect(await mailbox.purge(storage.db, 40, 10)).toBe(0);
    expect(await mailbox.purge(storage.db, 30, 1)).toBe(1);
    expect(await mailbox.purge(storage.db, 30, 10)).toBe(1);
    expect(await texts()).toEqual(['ccc']);
  });
});
