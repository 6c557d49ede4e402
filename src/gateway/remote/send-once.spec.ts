import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { FakeNetwork } from '../../../test/contract/fake-network.js';
import { eventually } from '../../../test/support/eventually.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { RemoteId } from '../../common/ids.js';
import { silentLog } from '../../ops/event-log.js';
import type { Rendering } from '../adapter/adapter.js';
import { remoteSendStore } from './remote-send.store.js';
import { SendOnce } from './send-once.js';

let storage: TestStorage;
let network: FakeNetwork;
let once: SendOnce;
let other: SendOnce;
beforeAll(async () => void (storage = await openTestStorage('once')));
afterAll(() => storage.close());
beforeEach(async () => {
  await storage.db.query('TRUNCATE remote_send');
  network = new FakeNetwork();
  await network.start({} as never);
  [once, other] = [open(), open()];
});

const open = (leaseSeconds = 30) => new SendOnce({ ...storage, leaseSeconds, log: silentLog });
const letter = (text: string, id = 'one'): Rendering => {
  const parcel = { id, to: network.address('olga'), text };
  return { remoteIds: [id as RemoteId], body: Buffer.from(JSON.stringify(parcel)), conversation: {} };
};
const arrived = () => network.arrived.map(({ text }) => text);
const rows = async () =>
  (await storage.db.query<{ taken: boolean }>('SELECT taken_at IS NOT NULL AS taken FROM remote_send')).map(
    ({ taken }) => taken,
  );

it('hands a rendering over once, whoever asks and however often', async () => {
  await once.send(network, letter('hello'));
  await once.send(network, letter('hello'));
  await other.send(network, letter('hello'));
  expect(arrived()).toEqual(['hello']);
  expect(await rows()).toEqual([true]);
});

it('tells renderings apart by their bytes, their ids and their network', async () => {
  await once.send(network, letter('hello'));
  await once.send(network, letter('hello!'));
  await once.send(network, letter('hello', 'two'));
  await once.send(network, { ...letter('hello'), remoteIds: ['three' as RemoteId] });
  const twin = new FakeNetwork('twin');
  await twin.start({} as never);
  await once.send(twin, letter('hello'));
  expect([arrived().length, twin.arrived.length]).toEqual([4, 1]);
});

it('begins anew after a failure', async () => {
  network.setMood('olga', 'busy');
  await expect(once.send(network, letter('hello'))).rejects.toMatchObject({ code: 'BUSY' });
  expect(await rows()).toEqual([]);
  network.setMood('olga', 'take');
  await other.send(network, letter('hello'));
  expect(arrived()).toEqual(['hello']);
});

it('lets nobody in between, and answers when it is done', async () => {
  network.setMood('olga', 'stall');
  const first = once.send(network, letter('hello'));
  await eventually('the first', async () => network.stalled === 1);
  await expect(other.send(network, letter('hello'))).rejects.toMatchObject({
    code: 'SEND_UNDER_WAY',
    retryable: true,
    certainty: 'uncertain',
  });
  network.setMood('olga', 'take');
  await first;
  await other.send(network, letter('hello'));
  expect(arrived()).toEqual(['hello']);
});

it('keeps its turn for as long as it takes, and loses it when it falls silent', async () => {
  network.setMood('olga', 'stall');
  const patient = open(1);
  const first = patient.send(network, letter('hello'));
  await eventually('the first', async () => network.stalled === 1);
  const leasedUntil = async () =>
    (await storage.db.query<{ at: Date }>('SELECT leased_until AS at FROM remote_send'))[0]!.at;
  const before = await leasedUntil();
  await eventually('a longer lease', async () => (await leasedUntil()) > before);
  await storage.db.query('UPDATE remote_send SET holder = gen_random_uuid(), leased_until = now()'); // as one that was killed
  network.setMood('olga', 'take');
  await first;
  expect(await rows()).toEqual([true]);
});

it('takes over from a process that was killed, when its lease has lapsed', async () => {
  const key = Buffer.alloc(32, 7);
  const terms = { leaseSeconds: 30, until: null };
  const [dead, heir] = ['0', '1'].map((digit) => ({ key, holder: `${digit.repeat(8)}-0000-4000-8000-000000000000` }));
  const { db } = storage;
  expect(await remoteSendStore.begin(db, dead!, terms)).toBe('begun');
  expect(await remoteSendStore.begin(db, heir!, terms)).toBe('under-way');
  await db.query('UPDATE remote_send SET leased_until = now()');
  expect(await remoteSendStore.begin(db, heir!, terms)).toBe('begun');
  await remoteSendStore.giveUp(db, dead!); // it is not its turn any more
  await remoteSendStore.renew(db, dead!, 1_000);
  expect(await remoteSendStore.begin(db, dead!, terms)).toBe('under-way');
  await remoteSendStore.taken(db, heir!);
  expect(await remoteSendStore.begin(db, dead!, terms)).toBe('taken');
});

it('begins nothing that nobody waits for, but tells what has been done', async () => {
  const { db } = storage;
  const [past, future] = [await remoteSendStore.deadline(db, -1), await remoteSendStore.deadline(db, 60)];
  await expect(once.send(network, letter('hello'), past)).rejects.toMatchObject({ code: 'REQUEST_LATE' });
  await once.send(network, letter('hello'), future);
  await once.send(network, letter('hello'), past);
  expect(arrived()).toEqual(['hello']);
  expect([await remoteSendStore.isAwaited(db, past), await remoteSendStore.isAwaited(db, future)]).toEqual([
    false,
    true,
  ]);
});

it('forgets what no repeat can be of any more', async () => {
  await once.send(network, letter('old'));
  await storage.db.query("UPDATE remote_send SET taken_at = now() - interval '38 days'");
  await once.send(network, letter('young'));
  await once.purge();
  expect(await rows()).toEqual([true]);
});
