import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { addressOf } from '../../../test/support/delivery-world.js';
import { eventually } from '../../../test/support/eventually.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import { systemClock } from '../../common/clock.js';
import type { EthAddress, Hash } from '../../common/ids.js';
import { silentLog } from '../../ops/event-log.js';
import { MailboxStore } from '../mailbox/mailbox.store.js';
import { ArrivalChannel } from './arrival-channel.js';
import { MailboxPush } from './mailbox-push.js';

const BOB = addressOf('b');
const CAROL = addressOf('c');

let storage: TestStorage;
let mailbox: MailboxStore;
let channel: ArrivalChannel;
let push: MailboxPush;
beforeAll(async () => void (storage = await openTestStorage('push')));
afterAll(() => storage.close());
beforeEach(async () => {
  await storage.db.query('TRUNCATE mailbox CASCADE');
  const { db, sealer } = storage;
  mailbox = new MailboxStore(sealer);
  channel = new ArrivalChannel({ db, sealer, log: silentLog });
  push = new MailboxPush({ db, mailbox, channel, clock: systemClock, log: silentLog });
});
afterEach(() => push.stop());

/** Puts a message into a mailbox. */
async function deposit(text: string, { receiver = BOB, minutesAgo = 0 } = {}): Promise<string> {
  const id = randomUUID();
  await mailbox.addOnce(
    storage.db,
    id,
    {
      receiver,
      sender: 'alice.eth',
      messageHash: null,
      encryptedMessageHash: `0x${'0'.repeat(64)}` as Hash,
      envelope: {
        message: text,
        metadata: { deliveryInformation: { to: 'bob.eth', from: 'alice.eth' }, signature: '' },
        postmark: '',
      },
      size: 1,
      verdict: 'verified',
      postmarkedAt: Date.now(),
    },
    randomBytes(32),
  );
  const sql = 'UPDATE mailbox SET received_at = now() - make_interval(mins => $2) WHERE id = $1';
  await storage.db.query(sql, [id, minutesAgo]);
  return id;
}
const announce = (id: string, receiver: EthAddress = BOB) => channel.announce({ id, receiver });

/** Begins to hear of arrivals. */
async function start(): Promise<void> {
  push.start();
  const sql = "SELECT 1 FROM pg_stat_activity WHERE query = $1 AND state = 'idle'";
  const listen = [`LISTEN "mailbox/${storage.db.schema}"`];
  await eventually('the listener', async () => (await storage.db.query(sql, listen)).length === 1);
}

/** A socket, as far as it matters here. */
function connect(address: EthAddress = BOB) {
  const texts: string[] = [];
  const leave = push.join(address, ({ message }) => texts.push(message));
  return { texts, leave, hears: (count: number) => eventually(`${count} texts`, async () => texts.length >= count) };
}

describe('MailboxPush', () => {
  it('brings a message to every socket of its account, once, and remembers that', async () => {
    await start();
    const [one, two, other] = [connect(), connect(), connect(CAROL)];
    const [id, last] = [await deposit('once'), await deposit('last')];
    for (const each of [id, id, last]) announce(each);
    await Promise.all([one.hears(2), two.hears(2)]);
    expect([one.texts, two.texts, other.texts]).toEqual([['once', 'last'], ['once', 'last'], []]);
    await eventually('the marks', async () => {
      const marked = await storage.db.query('SELECT 1 FROM mailbox WHERE pushed_at IS NOT NULL');
      return marked.length === 2;
    });
  });

  it('finds what nobody spoke of, in order, but not what was there before its sockets', async () => {
    await deposit('fetched at login', { minutesAgo: 1 });
    const socket = connect();
    await deposit('not announced');
    await deposit('neither');
    push.start();
    await socket.hears(2);
    announce(await deposit('announced'));
    await socket.hears(3);
    expect(socket.texts).toEqual(['not announced', 'neither', 'announced']);
  });

  it('gives nobody what is for somebody else, whatever a signal says', async () => {
    await start();
    const bob = connect();
    announce(await deposit('for Carol', { receiver: CAROL }), BOB);
    announce('nonsense');
    announce(randomUUID());
    await eventually('the nonsense to be over', async () => {
      announce(await deposit('for Bob'));
      return bob.texts.length > 0;
    });
    expect(new Set(bob.texts)).toEqual(new Set(['for Bob']));
  });

  it('leaves alone what has no socket here', async () => {
    await start();
    const [gone, there] = [connect(), connect(CAROL)];
    gone.leave();
    announce(await deposit('too late'));
    announce(await deposit('in time', { receiver: CAROL }), CAROL);
    await there.hears(1);
    expect([gone.texts, push.connectedOf(BOB), push.connectedOf(CAROL), push.connected]).toEqual([[], 0, 1, 1]);
    expect(
      await storage.db.query('SELECT 1 FROM mailbox WHERE pushed_at IS NOT NULL AND receiver = $1', [
        Buffer.alloc(20, 0xbb),
      ]),
    ).toEqual([]);
  });
});
