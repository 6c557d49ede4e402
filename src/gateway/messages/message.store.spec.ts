import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { addressOf } from '../../../test/support/delivery-world.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { MessageId, NetworkId } from '../../common/ids.js';
import { ConversationStore } from '../conversations/conversation.store.js';
import { MessageStore, type NewMessage } from './message.store.js';
import { MESSAGE_STATES, TRANSITIONS, type MessageState, type TransitionName } from './transitions.js';

let storage: TestStorage;
let store: MessageStore;
beforeAll(async () => {
  storage = await openTestStorage('messages');
  store = new MessageStore(storage.sealer);
});
beforeEach(async () => void (await storage.db.query('TRUNCATE message CASCADE')));
afterAll(() => storage.close());

const message = (changes: Partial<NewMessage> = {}): NewMessage => ({
  id: randomUUID() as MessageId,
  direction: 'to-dm3',
  network: 'email' as NetworkId,
  identity: addressOf('b'),
  ghost: addressOf('c'),
  conversation: null,
  payload: { text: 'Meet me at noon' },
  ...changes,
});
const added = async (changes?: Partial<NewMessage>): Promise<MessageId> => {
  const made = message(changes);
  expect(await store.add(storage.db, made)).toBe(true);
  return made.id;
};
const content = async (id: string) => {
  const sql = 'SELECT sealed_payload, sealed_frozen FROM message WHERE id = $1';
  return Object.values((await storage.db.query(sql, [id]))[0]!).filter((value) => value !== null).length;
};
const settleLongAgo = () =>
  storage.db.query("UPDATE message SET settled_at = now() - interval '31 days' WHERE settled_at IS NOT NULL");

describe('MessageStore', () => {
  it('keeps a message sealed, and once', async () => {
    const made = message();
    expect(await store.add(storage.db, made)).toBe(true);
    expect(await store.add(storage.db, { ...made, payload: { text: 'another' } })).toBe(false);
    const loaded = await store.load(storage.db, made.id);
    const { payload, ...facts } = made;
    expect(loaded).toMatchObject({ ...facts, payload, frozen: null, state: 'accepted', code: null, settledAt: null });
    const [row] = await storage.db.query('SELECT * FROM message');
    expect(Object.values(row!).map(String).join('\n')).not.toContain('noon');
  });

  it('sends the same bytes from the moment they are frozen, and notes the conversation', async () => {
    const conversations = new ConversationStore(storage.sealer);
    const { id: conversation } = await conversations.open(storage.db, {
      identity: addressOf('b'),
      ghost: addressOf('c'),
    });
    const id = await added();
    await store.freeze(storage.db, id, { bytes: 'AAEC' }, conversation);
    expect(await store.load(storage.db, id)).toMatchObject({
      state: 'frozen',
      frozen: { bytes: 'AAEC' },
      conversation,
    });
    await store.freeze(storage.db, id, { bytes: 'again' }, null);
    expect(await store.load(storage.db, id)).toMatchObject({ frozen: { bytes: 'again' }, conversation });
  });

  it('erases the content of what is delivered, and keeps the rest', async () => {
    const id = await added();
    await store.freeze(storage.db, id, {}, null);
    await store.delivered(storage.db, id, { attempt: 2, code: 'LEFT_OUT_BY_RULE' });
    expect(await content(id)).toBe(0);
    expect(await store.load(storage.db, id)).toBeNull();
    expect(await store.find(storage.db, id)).toMatchObject({
      state: 'delivered',
      code: 'LEFT_OUT_BY_RULE',
      settledAt: expect.any(Date),
      frozenAt: expect.any(Date),
      attempts: 2,
    });
  });

  it.each(['accepted', 'frozen'] as const)('lets an operator retry what failed when it was %s', async (state) => {
    const id = await added();
    if (state === 'frozen') await store.freeze(storage.db, id, {}, null);
    await store.failed(storage.db, id, { code: 'REFUSED' });
    expect(await store.load(storage.db, id)).toMatchObject({ state: 'failed', code: 'REFUSED' });
    await store.reopened(storage.db, id);
    expect(await store.load(storage.db, id)).toMatchObject({ state, code: null, settledAt: null });
  });

  it('erases dead letters when their time is over, so many at a time, and keeps what became of them', async () => {
    const dead = [await added(), await added()];
    const waiting = await added();
    for (const id of dead) await store.failed(storage.db, id, { code: 'REFUSED' });
    expect(await store.eraseDead(storage.db, 30, 9)).toBe(0);
    await settleLongAgo();
    expect(await store.eraseDead(storage.db, 30, 1)).toBe(1);
    expect(await store.eraseDead(storage.db, 30, 9)).toBe(1);
    expect(await store.eraseDead(storage.db, 30, 9)).toBe(0);
    expect(await Promise.all([...dead, waiting].map(content))).toEqual([0, 0, 1]);
    expect(await store.find(storage.db, dead[0]!)).toMatchObject({ state: 'failed', code: 'REFUSED' });
  });

  it('deletes what was settled long ago, and nothing that still waits', async () => {
    const [old, young, waiting] = [await added(), await added(), await added()];
    await store.delivered(storage.db, old, { attempt: 1 });
    await settleLongAgo();
    await store.delivered(storage.db, young, { attempt: 1 });
    expect(await store.purge(storage.db, 30, 9)).toBe(1);
    const left = await Promise.all([old, young, waiting].map((id) => store.find(storage.db, id)));
    expect(left.map((found) => found?.state)).toEqual([undefined, 'delivered', 'accepted']);
  });

  it('remembers what every attempt was answered, sealed', async () => {
    const id = await added();
    const nextAt = new Date('2026-12-01T12:00:00Z');
    await store.postponed(storage.db, id, { attempt: 1, code: 'BUSY', answer: 'carol@example.org is busy', nextAt });
    await store.delayTold(storage.db, id);
    await store.failed(storage.db, id, { attempt: 2, code: 'REFUSED', answer: 'x'.repeat(5_000) });
    await store.reopened(storage.db, id);
    expect(await store.history(storage.db, id)).toEqual([
      {
        at: expect.any(Date),
        event: 'attempt-failed',
        attempt: 1,
        code: 'BUSY',
        answer: 'carol@example.org is busy',
        nextAt,
      },
      { at: expect.any(Date), event: 'delay-told', attempt: null, code: null, answer: null, nextAt: null },
      { at: expect.any(Date), event: 'failed', attempt: 2, code: 'REFUSED', answer: 'x'.repeat(1_000), nextAt: null },
      { at: expect.any(Date), event: 'retried', attempt: null, code: null, answer: null, nextAt: null },
    ]);
    const rows = await storage.db.query('SELECT * FROM message_event');
    expect(rows.flatMap(Object.values).map(String).join('\n')).not.toContain('carol');
    await store.failed(storage.db, id, { attempt: 1, code: 'REFUSED' });
    await settleLongAgo();
    await store.purge(storage.db, 30, 9);
    expect(await storage.db.query('SELECT * FROM message_event')).toEqual([]);
  });

  const ways = {
    freeze: (id: MessageId) => store.freeze(storage.db, id, {}, null),
    postpone: (id: MessageId) => store.postponed(storage.db, id, { code: 'BUSY' }),
    'tell-delay': (id: MessageId) => store.delayTold(storage.db, id),
    deliver: (id: MessageId) => store.delivered(storage.db, id, { attempt: 1 }),
    fail: (id: MessageId) => store.failed(storage.db, id, { code: 'REFUSED' }),
    retry: (id: MessageId) => store.reopened(storage.db, id),
    discard: (id: MessageId) => store.discarded(storage.db, id),
  } satisfies Record<TransitionName, (id: MessageId) => Promise<void>>;
  const combinations = Object.keys(ways).flatMap((way) =>
    MESSAGE_STATES.map((state) => [way as TransitionName, state] as const),
  );

  it.each(combinations)('takes the way "%s" from %s only if the table says so', async (way, state) => {
    const id = await added();
    const seal =
      'UPDATE message SET state = $2, sealed_frozen = CASE WHEN $2 = $3 THEN sealed_payload END WHERE id = $1';
    await storage.db.query(seal, [id, state, 'frozen']);
    const { from, to } = TRANSITIONS[way];
    const isAllowed = (from as readonly MessageState[]).includes(state);
    if (isAllowed) await ways[way](id);
    else await expect(ways[way](id)).rejects.toMatchObject({ code: 'ILLEGAL_TRANSITION' });
    const after = (await store.find(storage.db, id))!.state;
    expect(after).toBe(isAllowed ? (to[0] ?? state) : state);
  });

  it('knows nothing of other ids', async () => {
    expect(await store.find(storage.db, randomUUID())).toBeNull();
    expect(await store.load(storage.db, randomUUID())).toBeNull();
  });
});
