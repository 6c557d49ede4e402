import { writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { eventually } from '../../support/eventually.js';
import { chance } from '../support/chance.js';
import { FaultWorld } from '../support/fault-world.js';
import { OwnPostgres } from '../support/own-postgres.js';
import { reported, SCENARIO_MS } from '../support/progress.js';
import { SmallDisk } from '../support/small-disk.js';

/** Room for an empty cluster, its log, and little more. */
const MEGABYTES = 160;
const PER_PAIR = 4;
const PATIENCE = { patienceMs: 60_000 };

const isPermitted = SmallDisk.isPermitted();
const describeWithDisk = isPermitted ? describe : describe.skip;
if (!isPermitted)
  writeSync(2, '  not run: a full disk under PostgreSQL: mounting a file system is not permitted here\n');

describeWithDisk('a disk without room under PostgreSQL [needs the right to mount]', () => {
  const { seed } = chance('disk');
  let disk: SmallDisk;
  let postgres: OwnPostgres;
  let world: FaultWorld;
  beforeAll(async () => {
    disk = SmallDisk.mount(MEGABYTES);
    postgres = await OwnPostgres.start(disk.folder);
    world = await FaultWorld.open({ fake: true, postgres: postgres.connection });
  }, SCENARIO_MS);
  afterAll(async () => {
    await world?.close();
    await postgres?.stop();
    disk?.unmount();
  });

  it(
    'refuses what it cannot keep for now, keeps what it accepted, and goes on when there is room again',
    async () => {
      await reported('full disk', seed, async () => {
        const letters = await world.write(PER_PAIR);
        const before = await world.mails();
        disk.fill();
        await exhaust();
        const handedIn = world.handIn(letters);
        await eventually('something to be refused', async () => world.refusals > 0, PATIENCE);
        disk.empty();
        await postgres.recover();
        await handedIn;
        await world.settled();
        world.mailsInFlight += (await world.mails()).taken - before.settled;
        expect(await world.violations()).toEqual([]);
        return { letters: letters.length, refused: world.refusals };
      });
    },
    SCENARIO_MS,
  );

  /** What PostgreSQL still has in its files is used up, by a table of nobody's. */
  async function exhaust(): Promise<void> {
    const client = new Client(postgres.connection);
    client.on('error', () => {}); // the server may end over it
    await client.connect();
    await client.query('CREATE UNLOGGED TABLE IF NOT EXISTS filler (words text)').catch(() => {});
    const fill = `INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 1000)`;
    await eventually(
      'PostgreSQL to have no room',
      () =>
        client.query(fill).then(
          () => false,
          () => true,
        ),
      PATIENCE,
    );
    await client.end().catch(() => {});
  }
});
