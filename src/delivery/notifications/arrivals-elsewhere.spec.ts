import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { addressOf } from '../../../test/support/delivery-world.js';
import { eventually } from '../../../test/support/eventually.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { EthAddress, Hash } from '../../common/ids.js';
import { silentLog } from '../../ops/event-log.js';
import { MailboxStore } from '../mailbox/mailbox.store.js';
import { ArrivalChannel } from '../socket/arrival-channel.js';
import { ArrivalsElsewhere } from './arrivals-elsewhere.js';

let storage: TestStorage;
beforeAll(async () => void (storage = await openTestStorage('elsewhere')));
afterAll(() => storage.close());

async function deposit(mailbox: MailboxStore, receiver: EthAddress): Promise<string> {
  const id = randomUUID();
  const envelope = {
    message: 'hello',
    metadata: { deliveryInformation: { to: 'bob.eth', from: 'alice.eth' }, signature: '' },
    postmark: '',
  };
  const message = {
    receiver,
    sender: 'alice.eth',
    messageHash: null,
    encryptedMessageHash: `0x${'0'.repeat(64)}` as Hash,
    envelope,
    size: 1,
    verdict: 'verified' as const,
    postmarkedAt: Date.now(),
  };
  await mailbox.addOnce(storage.db, id, message, randomBytes(32));
  return id;
}

it('hears whose mailboxes another process has put something into', async () => {
  const [bob, carol] = [addressOf('b'), addressOf('c')];
  const parts = { ...storage, log: silentLog };
  const mailbox = new MailboxStore(storage.sealer);
  const heard: EthAddress[] = [];
  const notifier = { arrived: (account: EthAddress) => void heard.push(account) };
  const elsewhere = new ArrivalsElsewhere({ ...parts, mailbox, channel: new ArrivalChannel(parts), notifier });
  const there = new ArrivalChannel(parts);
  elsewhere.start();
  const first = await deposit(mailbox, bob);
  await eventually('the channel', async () => {
    there.announce({ id: first, receiver: bob });
    await there.flushed();
    return heard.length > 0;
  });
  const gone = randomUUID();
  there.announce({ id: gone, receiver: bob }); // a client was faster
  there.announce({ id: await deposit(mailbox, carol), receiver: carol });
  await eventually('the other', async () => heard.includes(carol));
  expect(new Set(heard)).toEqual(new Set([bob, carol]));
  await elsewhere.stop();
});
