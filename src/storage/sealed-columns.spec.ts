import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { openTestStorage, type TestStorage } from '../../test/support/storage.js';
import { SEALED_COLUMNS } from './sealed-columns.js';

let storage: TestStorage;
beforeAll(async () => void (storage = await openTestStorage('sealed_columns')));
afterAll(() => storage.close());

it('names every sealed column of the database, with the key of its table', async () => {
  const sql = `SELECT c.table_name AS table, c.column_name AS column, k.key, k."keyType"
    FROM information_schema.columns c
    LEFT JOIN LATERAL (
      SELECT string_agg(u.column_name, ',') AS key, string_agg(kc.data_type, ',') AS "keyType"
      FROM information_schema.table_constraints p
      JOIN information_schema.key_column_usage u USING (table_schema, table_name, constraint_name)
      JOIN information_schema.columns kc USING (table_schema, table_name, column_name)
      WHERE p.table_schema = c.table_schema AND p.table_name = c.table_name AND p.constraint_type = 'PRIMARY KEY'
    ) k ON true
    WHERE c.table_schema = $1 AND c.column_name LIKE 'sealed\\_%' ORDER BY 1, 2`;
  const columns = await storage.db.query(sql, [storage.db.schema]);
  const listed = SEALED_COLUMNS.map(({ table, column, key, keyType }) => ({ table, column, key, keyType }));
  const order = (a: { table: string; column: string }, b: { table: string; column: string }) =>
    `${a.table}.${a.column}` < `${b.table}.${b.column}` ? -1 : 1;
  expect(columns).toEqual([...listed].sort(order));
});
