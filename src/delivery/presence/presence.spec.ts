import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { addressOf } from '../../../test/support/delivery-world.js';
import { eventually } from '../../../test/support/eventually.js';
import { openTestStorage, type TestStorage } from '../../../test/support/storage.js';
import type { EthAddress } from '../../common/ids.js';
import { silentLog } from '../../ops/event-log.js';
import { addressBytes } from '../addresses.js';
import { permissionStore } from '../permissions/permission.store.js';
import { Presence } from './presence.js';
import { PresenceStore } from './presence.store.js';

const [ALICE, BOB, CAROL] = [addressOf('a'), addressOf('b'), addressOf('c')];

let storage: TestStorage;
let one: Presence;
let two: Presence;
beforeAll(async () => {
  storage = await openTestStorage('presence');
  for (const address of [ALICE, BOB, CAROL]) {
    await storage.db.query("INSERT INTO account (address, profile) VALUES ($1, '{}')", [addressBytes(address)]);
  }
});
beforeEach(async () => {
  await storage.db.query('TRUNCATE presence');
  for (const address of [ALICE, BOB]) await permissionStore.save(storage.db, address, ['presence']);
  one = await startProcess();
  two = await startProcess();
});
afterEach(async () => void (await Promise.all([one.stop(), two.stop()])));
afterAll(() => storage.close());

async function startProcess(): Promise<Presence> {
  const before = await listeners();
  const presence = new Presence({ db: storage.db, log: silentLog });
  presence.start();
  await eventually('the listener', async () => (await listeners()) === before + 1);
  return presence;
}

async function listeners(): Promise<number> {
  const sql = "SELECT 1 FROM pg_stat_activity WHERE query = $1 AND state = 'idle'";
  return (await storage.db.query(sql, [`LISTEN "presence/${storage.db.schema}"`])).length;
}

/** What Alice is told of Bob at a process. */
function watch(at: Presence, watcher = ALICE, watched = BOB) {
  const told: boolean[] = [];
  const stop = at.watch(watcher, watched, (online) => told.push(online));
  const hears = (...expected: boolean[]) =>
    eventually(`${expected} and not ${told}`, async () => String(told) === String(expected));
  const learns = (online: boolean) => eventually(`online: ${online}`, async () => told.at(-1) === online);
  return { told, stop, hears, learns };
}

const permit = async (address: EthAddress, at: Presence, permitted: boolean) => {
  await permissionStore.save(storage.db, address, permitted ? ['presence'] : []);
  await at.permissionsChanged(address);
};

describe('who is online', () => {
  it('is told at once, and then when it changes, at whichever process', async () => {
    const [here, there] = [watch(one), watch(two)];
    await Promise.all([here.hears(false), there.hears(false)]);
    const leave = two.join(BOB);
    await Promise.all([here.hears(false, true), there.hears(false, true)]);
    const late = watch(one);
    await late.hears(true);
    leave();
    await Promise.all([here.hears(false, true, false), there.hears(false, true, false), late.hears(true, false)]);
  });

  it('is whoever has a client left anywhere', async () => {
    const [first, second, third] = [one.join(BOB), one.join(BOB), two.join(BOB)];
    const alice = watch(two);
    await alice.learns(true);
    const before = [...alice.told];
    first();
    third();
    await two.beat();
    expect(alice.told).toEqual(before);
    second();
    await alice.learns(false);
  });

  it('is settled by what was last the case, however fast it changes', async () => {
    const alice = watch(two);
    await alice.hears(false);
    for (let times = 0; times < 50; times += 1) one.join(BOB)();
    const leave = one.join(BOB);
    await alice.learns(true);
    leave();
    await alice.learns(false);
    expect(await storage.db.query('SELECT 1 FROM presence')).toEqual([]);
  });

  it('is nobody’s business any more after one stops watching', async () => {
    const [alice, other] = [watch(one), watch(one)];
    await alice.hears(false);
    alice.stop();
    one.join(BOB);
    await other.hears(false, true);
    expect(alice.told).toEqual([false]);
  });
});

describe('an account that does not permit it', () => {
  it('is never seen, nor written down, and sees nobody', async () => {
    one.join(CAROL);
    one.join(BOB);
    const [ofCarol, byCarol] = [watch(two, ALICE, CAROL), watch(two, CAROL, BOB)];
    await watch(two).learns(true);
    await two.beat();
    expect([ofCarol.told, byCarol.told]).toEqual([[false], [false]]);
    const rows = await storage.db.query('SELECT address FROM presence');
    expect(rows).toEqual([{ address: Buffer.from(addressBytes(BOB)) }]);
  });

  it('disappears in the moment it says so, and comes back the same way', async () => {
    const [ofBob, byBob] = [watch(two), watch(two, BOB, ALICE)];
    await Promise.all([ofBob.hears(false), byBob.hears(false)]);
    one.join(BOB);
    one.join(ALICE);
    await Promise.all([ofBob.hears(false, true), byBob.hears(false, true)]);
    await permit(BOB, two, false);
    await Promise.all([ofBob.hears(false, true, false), byBob.hears(false, true, false)]);
    await permit(BOB, two, true);
    await Promise.all([ofBob.hears(false, true, false, true), byBob.hears(false, true, false, true)]);
  });
});

describe('a process that', () => {
  const row = (process: string, seconds: number) =>
    storage.db.query('INSERT INTO presence VALUES ($1, $2, now() + make_interval(secs => $3))', [
      addressBytes(BOB),
      process,
      seconds,
    ]);

  it('was killed is believed until its word expires, and nobody stays online for ever', async () => {
    const crashed = randomUUID();
    await row(crashed, 60);
    const alice = watch(one);
    await alice.hears(true);
    await storage.db.query("UPDATE presence SET expires_at = now() - interval '1 second'");
    await two.beat();
    await alice.hears(true, false);
    expect(await storage.db.query('SELECT 1 FROM presence')).toEqual([]);
  });

  it('lives keeps its word fresh, and gives it again if it was lost', async () => {
    one.join(BOB);
    const alice = watch(two);
    await alice.learns(true);
    await storage.db.query("UPDATE presence SET expires_at = now() + interval '1 second'");
    await one.beat();
    const fresh = "SELECT 1 FROM presence WHERE expires_at > now() + interval '30 seconds'";
    expect(await storage.db.query(fresh)).toHaveLength(1);
    await storage.db.query('TRUNCATE presence'); // as after a crash of the database
    await two.beat();
    await alice.learns(false);
    await one.beat();
    await alice.learns(true);
  });

  it('ends takes its clients with it', async () => {
    const three = await startProcess();
    three.join(BOB);
    const alice = watch(one);
    await alice.learns(true);
    await three.stop();
    await alice.learns(false);
  });

  it('cannot reach the database says so in the log, and makes up for it', async () => {
    const warnings: object[] = [];
    const log = { ...silentLog, warn: (event: string, fields?: object) => void warnings.push({ event, ...fields }) };
    let isDown = true;
    const { db } = storage;
    const query: typeof db.query = (...args) => (isDown ? Promise.reject(new Error('down')) : db.query(...args));
    const flaky = new Presence({ db: { schema: db.schema, query } as never, log });
    flaky.join(BOB);
    await flaky.beat();
    expect(warnings).toContainEqual({ event: 'presence.failed', code: 'UNEXPECTED' });
    isDown = false;
    await flaky.beat();
    expect((await new PresenceStore(db).visible([BOB])).get(BOB)).toBe(true);
  });
});
