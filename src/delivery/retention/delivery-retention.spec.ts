import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DeliveryWorld } from '../../../test/support/delivery-world.js';
import type { Person } from '../../sandbox/people.js';
import { ChallengeStore } from '../access/challenge.store.js';
import { DeviceStore } from '../access/device.store.js';
import { rateWindowStore } from '../../storage/rate-limits/rate-window.store.js';
import { SentStore } from '../sent/sent.store.js';
import { trafficStore } from '../traffic/traffic.store.js';
import { inSteps } from '../../storage/in-steps.js';
import { DeliveryRetention } from './delivery-retention.js';

const OLD = 5_000;

let world: DeliveryWorld;
let alice: Person;
let bob: Person;
beforeAll(async () => {
  world = await DeliveryWorld.open('retention');
  alice = await world.person('alice.eth', { signUp: true });
  bob = await world.person('bob.eth', { signUp: true });
});
beforeEach(async () => {
  await world.db.query('TRUNCATE mailbox CASCADE');
  await world.db.query(
    `INSERT INTO mailbox (id, receiver, sender_key, encrypted_key, sealed_envelope, size, verdict, received_at)
     SELECT gen_random_uuid(), $1, '', '', '', 1, 'verified', now() - interval '40 days' FROM generate_series(1, $2)`,
    [Buffer.from(bob.address.slice(2), 'hex'), OLD],
  );
});
afterAll(() => world.close());

function retention(messageTtlDays: number): DeliveryRetention {
  const { db, mailbox, sealer } = world;
  const stores = {
    challenges: new ChallengeStore(sealer),
    devices: new DeviceStore(sealer),
    sent: new SentStore(sealer),
  };
  return new DeliveryRetention({ db, mailbox, ...stores, messageTtlDays, stateDays: 30, trafficSeconds: 3_600 });
}

/** As the upkeep does it. */
async function purge(messageTtlDays: number): Promise<void> {
  for (const { step, rows } of retention(messageTtlDays).removals()) await inSteps(step, { rows });
}

const left = async () => (await world.mailbox.weigh(world.db, bob.address)).messages;
const submit = () => world.submissions.submit(world.envelope({ from: alice, to: bob, text: 'meanwhile' }));

describe('DeliveryRetention', () => {
  it.each([
    [30, 0],
    [41, OLD],
    [0, OLD],
  ])('with a lifetime of %i days leaves %i of the old messages', async (days, kept) => {
    await submit();
    await purge(days);
    expect(await left()).toBe(kept + 1);
  });

  it('holds up no submission: neither between its steps nor within one', async () => {
    await world.db.transaction(async (tx) => {
      expect(await world.mailbox.purge(tx, 30, 1_000)).toBe(1_000);
      expect(await submit()).toBe('accepted'); // while the removed rows are still locked
    });
    const purging = purge(30);
    const submitted = Array.from({ length: 20 }, submit);
    expect(await Promise.all(submitted)).toEqual(submitted.map(() => 'accepted'));
    await purging;
    expect(await left()).toBe(21);
  });

  it('lets two processes do it at once', async () => {
    await Promise.all([purge(30), purge(30)]);
    expect(await left()).toBe(0);
  });

  it('removes what else is over', async () => {
    await rateWindowStore.add(world.db, Buffer.from('old'), Date.now() - 2 * 86_400_000, 1);
    await new ChallengeStore(world.sealer).add(world.db, alice.name, 'expired', -1);
    await new DeviceStore(world.sealer).greet(world.db, bob.address, Buffer.from('lost'));
    await world.db.query("UPDATE mailbox_device SET seen_at = now() - interval '31 days'");
    await trafficStore.add(world.db, [{ start: 0, messages: 1, bytes: 1, notifications: 0 }]);
    await world.db.query(
      `INSERT INTO mailbox_outcome (encrypted_key, sender_key, outcome, settled_at)
       SELECT n::text::bytea, '', 'recalled', now() - make_interval(days => n) FROM generate_series(29, 31) AS n`,
    );
    await purge(0);
    expect(await world.db.query('SELECT 1 FROM mailbox_outcome')).toHaveLength(1);
    for (const table of ['rate_window', 'login_challenge', 'mailbox_device', 'traffic']) {
      expect([table, await world.db.query(`SELECT 1 FROM ${table}`)]).toEqual([table, []]);
    }
  });
});
