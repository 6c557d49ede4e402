import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { openTestStorage, type TestStorage } from '../../test/support/storage.js';
import { SEALED_COLUMNS } from './sealed-columns.js';

let storage: TestStorage;
beforeAll(async () => void (storage = await openTestStorage('sealed_columns')));
afterAll(() => storage.close());

it('names every sealed column of the database, with the key of its table', async () => {
  const sql = `SELECT c.table_name AS table, c.column_name AS column, string_agg(k.column_name, ',') AS key,
      string_agg(kc.data_type, ',') AS "keyType"
    FROM information_schema.columns c
    JOIN information_schema.table_constraints p USING (table_schema, table_name)
    JOIN information_schema.key_column_usage k USING (table_schema, table_name, constraint_name)
    JOIN information_schema.columns kc USING (table_schema, table_name)
    WHERE c.table_schema = $1 AND c.column_name LIKE 'sealed\\_%' AND p.constraint_type = 'PRIMARY KEY'
      AND kc.column_name = k.column_name
    GROUP BY 1, 2 ORDER BY 1, 2`;
  const columns = await storage.db.query(sql, [storage.db.schema]);
  const listed = SEALED_COLUMNS.map(({ table, column, key, keyType }) => ({ table, column, key, keyType }));
  const order = (a: { table: string; column: string }, b: { table: string; column: string }) =>
    `${a.table}.${a.column}` < `${b.table}.${b.column}` ? -1 : 1;
  expect(columns).toEqual([...listed].sort(order));
});
