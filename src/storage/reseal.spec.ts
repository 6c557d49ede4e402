import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestSchema, type TestSchema } from '../../test/support/database.js';
import { fillTables } from '../../test/support/filled-tables.js';
import { createSodiumProvider } from '../protocol/crypto/sodium.js';
import { Database, type Queryable } from './database.js';
import { StorageKeyMissingError } from './errors.js';
import { countSealed, resealPass, type ResealProgress } from './reseal.js';
import { SEALED_COLUMNS, type SealedColumn } from './sealed-columns.js';
import { Sealer, type StorageKey, type StorageKeys } from './sealer.js';

const ROOT_SECRET = randomBytes(32);
const OLD: StorageKey = { id: 1, key: randomBytes(32) };
const NEW: StorageKey = { id: 2, key: randomBytes(32) };
const crypto = await createSodiumProvider();
const sealerWith = (...storageKeys: StorageKeys) =>
  new Sealer(crypto, randomBytes, { storageKeys, rootSecret: ROOT_SECRET });
const before = sealerWith(OLD);
const after = sealerWith(NEW, OLD);

let schema: TestSchema;
let db: Database;
beforeAll(async () => {
  schema = await createTestSchema('reseal');
  db = new Database(schema.options);
  await db.open();
});
const TABLES = [...new Set(SEALED_COLUMNS.map(({ table }) => table))];
beforeEach(() => db.query(`TRUNCATE ${TABLES.join(', ')} CASCADE`));
afterAll(async () => {
  await db.close();
  await schema.drop();
});

const payloadPlace = (row: string) => ({ table: 'message', column: 'sealed_payload', row });

const digest = (text: Uint8Array) => createHash('sha256').update(text).digest('hex');

/** @returns a digest of each one's payload, by id */
async function addMessages(count: number, size = 20): Promise<Map<string, string>> {
  const messages = new Map(Array.from({ length: count }, () => [randomUUID() as string, randomBytes(size)]));
  const sealed = [...messages].map(([id, text]) => before.seal(payloadPlace(id), text));
  await db.query(
    `INSERT INTO message (id, direction, network, state, identity, ghost, sealed_payload)
     SELECT id, 'to-dm3', 'email', 'accepted', $3, $3, sealed FROM unnest($1::uuid[], $2::bytea[]) AS m (id, sealed)`,
    [[...messages.keys()], sealed, Buffer.alloc(20)],
  );
  return new Map([...messages].map(([id, text]) => [id, digest(text)]));
}

async function valuesOf({ table, column, key, row }: SealedColumn) {
  const sql = `SELECT ${key} AS key, ${column} AS value FROM ${table} WHERE ${column} IS NOT NULL`;
  const rows = await db.query<{ key: string | Buffer; value: Buffer }>(sql);
  return rows.map((found) => ({ ...found, place: { table, column, row: row(found.key) } }));
}

/** Each value seals the name of its row. */
async function sealAll(sealed: SealedColumn): Promise<void> {
  const { table, column, key } = sealed;
  for (const { key: of, place } of await valuesOf(sealed)) {
    const value = before.seal(place, Buffer.from(place.row));
    await db.query(`UPDATE ${table} SET ${column} = $2 WHERE ${key} = $1`, [of, value]);
  }
}

async function payloads(sealer: Sealer): Promise<Map<string, string>> {
  const rows = await db.query<{ id: string; sealed_payload: Buffer }>('SELECT id, sealed_payload FROM message');
  return new Map(rows.map((row) => [row.id, digest(sealer.open(payloadPlace(row.id), row.sealed_payload))]));
}

describe('a pass', () => {
  it('seals everything with the active key, and changes nothing else', async () => {
    const messages = await addMessages(1_200);
    expect(await countSealed(db)).toEqual(new Map([[1, 1_200]]));
    expect(await resealPass(db, after)).toEqual({ resealed: 1_200, left: 0, broken: 0 });
    expect(await countSealed(db)).toEqual(new Map([[2, 1_200]]));
    expect(await payloads(sealerWith(NEW))).toEqual(messages);
    expect(await resealPass(db, after)).toEqual({ resealed: 0, left: 0, broken: 0 });
  });

  it('reaches rows that are called by address or by hash too', async () => {
    const [address, challenge] = [randomBytes(20), randomBytes(32)];
    const ghost = { table: 'ghost', column: 'sealed_foreign_address', row: `0x${address.toString('hex')}` };
    const login = { table: 'login_challenge', column: 'sealed_challenge', row: challenge.toString('hex') };
    await db.query(
      `INSERT INTO ghost (address, network, name_key, sealed_foreign_address) VALUES ($1, 'email', '', $2)`,
      [address, before.seal(ghost, Buffer.from('a'))],
    );
    await db.query(
      `INSERT INTO login_challenge (challenge_key, name_key, sealed_challenge, expires_at) VALUES ($1, '', $2, now())`,
      [challenge, before.seal(login, Buffer.from('b'))],
    );
    expect(await resealPass(db, after)).toEqual({ resealed: 2, left: 0, broken: 0 });
    expect(await countSealed(db)).toEqual(new Map([[2, 2]]));
  });

  it('reaches every column that there is, in rows of every table', async () => {
    await fillTables(db, db.schema);
    for (const column of SEALED_COLUMNS) await sealAll(column);
    const all = [...(await countSealed(db)).values()].reduce((sum, count) => sum + count, 0);
    expect(all).toBeGreaterThanOrEqual(2 * SEALED_COLUMNS.length);
    expect(await resealPass(db, after)).toEqual({ resealed: all, left: 0, broken: 0 });
    expect(await countSealed(db)).toEqual(new Map([[2, all]]));
    for (const column of SEALED_COLUMNS) {
      for (const { place, value } of await valuesOf(column)) {
        expect(Buffer.from(sealerWith(NEW).open(place, value)).toString()).toBe(place.row);
      }
    }
  });

  it('takes large values one after the other', async () => {
    const messages = await addMessages(3, 6 * 1024 * 1024);
    expect(await resealPass(db, after)).toMatchObject({ resealed: 3 });
    expect(await payloads(sealerWith(NEW))).toEqual(messages);
  });

  it('tells how far it is, up to the end', async () => {
    await addMessages(2_000);
    const told: ResealProgress[] = [];
    await resealPass(db, after, (progress) => told.push(progress));
    expect(told.map(({ share }) => share)).toEqual(told.map(({ share }) => share).sort((a, b) => a - b));
    expect(new Set(told.map(({ resealed }) => resealed)).size).toBeGreaterThan(3);
    expect(told.at(-1)).toEqual({ resealed: 2_000, share: 1 });
  });

  it('that breaks off leaves everything readable, and the next one goes on', async () => {
    const messages = await addMessages(1_200);
    let writes = 0;
    const dying: Queryable = {
      query: (sql, params, name) => {
        if (sql.includes('UPDATE') && (writes += 1) === 2) throw new Error('killed');
        return db.query(sql, params, name);
      },
    };
    await expect(resealPass(dying, after)).rejects.toThrow('killed');
    expect(await payloads(after)).toEqual(messages);
    const { resealed } = await resealPass(db, after);
    expect(resealed).toBeGreaterThan(0);
    expect(resealed).toBeLessThan(1_200);
    expect(await countSealed(db)).toEqual(new Map([[2, 1_200]]));
  });

  it('neither waits for rows that somebody holds nor undoes what is done to them', async () => {
    const [[id]] = [...(await addMessages(2))] as [[string, string]];
    await db.transaction(async (tx) => {
      await tx.query('UPDATE message SET sealed_payload = $2 WHERE id = $1', [
        id,
        before.seal(payloadPlace(id), Buffer.from('changed')),
      ]);
      expect(await resealPass(db, after)).toEqual({ resealed: 1, left: 1, broken: 0 });
    });
    expect(await resealPass(db, after)).toEqual({ resealed: 1, left: 0, broken: 0 });
    expect((await payloads(sealerWith(NEW))).get(id)).toBe(digest(Buffer.from('changed')));
  });

  it('leaves a value alone that changes between reading and writing', async () => {
    const [[id]] = [...(await addMessages(1))] as [[string, string]];
    const changing: Queryable = {
      query: async (sql, params, name) => {
        if (sql.includes('UPDATE')) await db.query('UPDATE message SET sealed_payload = NULL WHERE id = $1', [id]);
        return db.query(sql, params, name);
      },
    };
    expect(await resealPass(changing, after)).toEqual({ resealed: 0, left: 1, broken: 0 });
    expect(await countSealed(db)).toEqual(new Map());
  });

  it('steps over what does not open', async () => {
    const [[id]] = [...(await addMessages(2))] as [[string, string]];
    const elsewhere = before.seal(payloadPlace('elsewhere'), Buffer.from('x'));
    await db.query('UPDATE message SET sealed_payload = $2 WHERE id = $1', [id, elsewhere]);
    expect(await resealPass(db, after)).toEqual({ resealed: 1, left: 0, broken: 1 });
  });

  it('ends at a key that is missing', async () => {
    await addMessages(1);
    await expect(resealPass(db, sealerWith(NEW))).rejects.toThrow(StorageKeyMissingError);
  });
});
