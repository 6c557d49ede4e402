import { randomBytes } from 'node:crypto';
import { Client, escapeIdentifier } from 'pg';
import type { PostgresConnection } from '../../src/sandbox/embedded-postgres.js';
import type { DatabaseOptions } from '../../src/storage/database.js';

export interface TestSchema {
  readonly options: DatabaseOptions;
  /** Deletes it with everything in it. */
  drop(): Promise<void>;
}

/**
 * A new, empty schema, so that suites do not see each other.
 * @param server the run's PostgreSQL (global-setup.js) if it is not another one
 */
export async function createTestSchema(name = 'test', server: PostgresConnection = ofTheRun()): Promise<TestSchema> {
  const schema = `${name}_${randomBytes(6).toString('hex')}`;
  await execute(server, `CREATE SCHEMA ${escapeIdentifier(schema)}`);
  const drop = () => execute(server, `DROP SCHEMA IF EXISTS ${escapeIdentifier(schema)} CASCADE`);
  const times = { connectSeconds: 10, statementSeconds: 30, lockSeconds: 20 };
  return { options: { ...server, schema, poolSize: 5, ...times }, drop };
}

function ofTheRun(): PostgresConnection {
  const { TEST_PG_HOST, TEST_PG_PORT, TEST_PG_USER, TEST_PG_PASSWORD, TEST_PG_DATABASE } = process.env;
  const [host, user, password, database] = [TEST_PG_HOST!, TEST_PG_USER!, TEST_PG_PASSWORD!, TEST_PG_DATABASE!];
  return { host, port: Number(TEST_PG_PORT), user, password, database };
}

async function execute(server: PostgresConnection, sql: string): Promise<void> {
  const client = new Client(server);
  await client.connect();
  await client.query(sql);
  await client.end();
}
