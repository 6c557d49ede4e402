import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestSchema, type TestSchema } from '../../test/support/database.js';
import { eventually } from '../../test/support/eventually.js';
import { FaultLink } from '../../test/support/fault-link.js';
import { Database, type DatabaseOptions, type Tx } from './database.js';

const UNAVAILABLE = { code: 'STORAGE_UNAVAILABLE', kind: 'unavailable', retryable: true };

let schema: TestSchema;
let link: FaultLink;
const opened: Database[] = [];
beforeAll(async () => {
  schema = await createTestSchema('limits');
  const { host, port } = schema.options;
  link = await FaultLink.open({ path: path.join(host, `.s.PGSQL.${port}`) });
});
afterEach(async () => {
  await link.mend();
  await Promise.all(opened.splice(0).map((db) => db.close()));
});
afterAll(async () => {
  await link.close();
  await schema.drop();
});

function database(options: Partial<DatabaseOptions> = {}): Database {
  const db = new Database({ ...schema.options, ...options });
  opened.push(db);
  return db;
}

async function open(options: Partial<DatabaseOptions> = {}): Promise<Database> {
  const db = database(options);
  await db.open();
  return db;
}

/** A transaction that goes on until it is released. */
async function holdOpen(db: Database, begin: (tx: Tx) => Promise<unknown> = async () => {}): Promise<() => void> {
  let release!: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  await new Promise<void>((begun, fail) => {
    db.transaction(async (tx) => {
      await begin(tx);
      begun();
      await released;
    }).catch(fail);
  });
  return release;
}

describe('a pool that is used up', () => {
  it('refuses who waits too long for a connection, and goes on once one is free', async () => {
    const db = await open({ poolSize: 2, connectSeconds: 0.2 });
    const releases = [await holdOpen(db), await holdOpen(db)];
    await expect(db.query('SELECT 1')).rejects.toMatchObject(UNAVAILABLE);
    await expect(db.transaction(async () => 1)).rejects.toMatchObject(UNAVAILABLE);
    releases[0]!();
    expect(await db.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    releases[1]!();
  });

  it('has them wait for one another where that is quick', async () => {
    const db = await open({ poolSize: 2 });
    const pids = await Promise.all(
      Array.from({ length: 50 }, () => db.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')),
    );
    expect(new Set(pids.flat().map(({ pid }) => pid)).size).toBe(2);
  });
});

describe('a server that allows no more connections', () => {
  const user = `few_${randomBytes(6).toString('hex')}`;
  const password = randomBytes(9).toString('hex');
  let admin: Database;
  beforeAll(async () => {
    admin = new Database(schema.options);
    await admin.open();
    await admin.query(`CREATE ROLE ${user} LOGIN PASSWORD '${password}' CONNECTION LIMIT 3`);
    await admin.query(`GRANT CREATE ON DATABASE ${schema.options.database} TO ${user}`);
  });
  afterAll(async () => {
    await admin.query(`DROP OWNED BY ${user}`);
    await admin.query(`DROP ROLE ${user}`);
    await admin.close();
  });

  it('has requests refused at once, that may be tried again, and takes the next when one is free', async () => {
    const own = await createTestSchema('few');
    await admin.query(`GRANT ALL ON SCHEMA ${own.options.schema} TO ${user}`);
    const db = new Database({ ...own.options, user, password, poolSize: 5 });
    await db.open();
    const releases = [await holdOpen(db), await holdOpen(db), await holdOpen(db)];
    await expect(db.query('SELECT 1')).rejects.toMatchObject(UNAVAILABLE);
    await expect(db.transaction(async () => 1)).rejects.toMatchObject(UNAVAILABLE);
    await expect(db.dedicatedClient()).rejects.toMatchObject(UNAVAILABLE);
    for (const release of releases) release();
    await eventually('a free connection', () => db.query('SELECT 1').catch(() => null));
    await db.close();
    await own.drop();
  });
});

describe('a session', () => {
  it('may end just when it passes from one user to the next: the second is told, nobody else', async () => {
    const { host, port } = link;
    const [db, watcher] = [await open({ host, port, poolSize: 1 }), await open({ poolSize: 1 })];
    const [session] = await db.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const isThere = async (state: string) => {
      const sql = 'SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND state LIKE $2';
      return (await watcher.query(sql, [session!.pid, state])).length > 0;
    };
    const first = db.query('SELECT 1 AS one FROM pg_sleep(0.2)');
    const second = db.transaction((tx) => tx.query('SELECT 2 AS two'));
    await eventually('the first question', () => isThere('active'));
    link.stall(); // the answer and the end of the session arrive together
    await eventually('its answer', () => isThere('idle'));
    await watcher.query('SELECT pg_terminate_backend($1)', [session!.pid]);
    await eventually('the end of the session', async () => !(await isThere('%')));
    await link.mend();
    await expect(second).rejects.toMatchObject(UNAVAILABLE);
    expect(await first).toEqual([{ one: 1 }]);
    expect(await db.query('SELECT 3 AS three')).toEqual([{ three: 3 }]);
  });

  it('gives up a statement that takes too long, and then works on', async () => {
    const db = await open({ statementSeconds: 0.1, poolSize: 2 });
    await expect(db.query('SELECT pg_sleep(30)')).rejects.toMatchObject(UNAVAILABLE);
    expect(await db.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('is ended if a transaction rests too long, and its locks with it', async () => {
    const db = await open({ statementSeconds: 0.1, poolSize: 2 });
    const resting = db.transaction(async (tx) => {
      const [row] = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      const ended = 'SELECT 1 WHERE EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)';
      while ((await db.query(ended, [row!.pid])).length > 0);
      await tx.query('SELECT 1');
    });
    await expect(resting).rejects.toMatchObject(UNAVAILABLE);
  });
});

describe('a way to the server that', () => {
  const throughLink = () => ({ host: link.host, port: link.port, statementSeconds: 0.1, connectSeconds: 0.3 });

  it('is silent lets no statement and no transaction hang', async () => {
    const db = await open(throughLink());
    await db.query('SELECT 1');
    const work = [db.query('SELECT pg_sleep(0.05)'), db.transaction((tx) => tx.query('SELECT pg_sleep(0.05)'))];
    link.stall();
    for (const stalled of work) await expect(stalled).rejects.toMatchObject(UNAVAILABLE);
    await link.mend();
    expect(await db.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('is silent lets nobody hang who connects', async () => {
    link.stall();
    await expect(database(throughLink()).open()).rejects.toMatchObject(UNAVAILABLE);
    await expect(database(throughLink()).dedicatedClient()).rejects.toMatchObject(UNAVAILABLE);
  });

  it('is cut in the middle of a statement says so', async () => {
    const db = await open(throughLink());
    link.cutAfter(20);
    await expect(db.query('SELECT 1 AS one')).rejects.toMatchObject(UNAVAILABLE);
  });

  it('is closed is noticed at once, and forgotten when it is open again', async () => {
    const db = await open(throughLink());
    await link.refuse();
    await expect(db.query('SELECT 1')).rejects.toMatchObject(UNAVAILABLE);
    await link.mend();
    expect(await db.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

describe('a start', () => {
  it('does not wait for ever for another one that changes the tables', async () => {
    const first = await open();
    await first.withLock('migrate', async () => {
      const refused = expect(database({ lockSeconds: 0.1 }).open()).rejects;
      await refused.toMatchObject({ ...UNAVAILABLE, message: expect.stringContaining('start again when it is done') });
    });
    await open({ lockSeconds: 0.1 });
  });

  it('does not wait for ever for whoever uses the tables, and changes none of them', async () => {
    const db = await open();
    const release = await holdOpen(db, (tx) => tx.query('LOCK TABLE migrations IN SHARE MODE'));
    const other = database({ lockSeconds: 0.1 });
    await expect(other.undoMigrations(1)).rejects.toMatchObject({
      ...UNAVAILABLE,
      message: expect.stringContaining('when the backup, or whatever else reads them, is done'),
    });
    release();
    await open();
  });

  it('may take longer to change the tables than a statement may', async () => {
    const db = await open();
    await db.undoMigrations(1);
    const release = await holdOpen(db, (tx) => tx.query('LOCK TABLE migrations IN SHARE MODE'));
    const patient = open({ statementSeconds: 0.1 });
    const waits = 'SELECT 1 FROM pg_locks WHERE NOT granted AND relation = $1::regclass AND waitstart < now()';
    while ((await db.query(`${waits} - interval '0.2 s'`, ['migrations'])).length === 0);
    release();
    await patient;
  });
});
