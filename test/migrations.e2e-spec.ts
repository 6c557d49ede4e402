import { afterEach, beforeEach, describe, it } from '@jest/globals';
import { migrations } from '../src/storage/migrations/index.js';
import { expectSame, VersionedTables } from './support/versioned-tables.js';

const VERSIONS = migrations.map((Migration, index) => [new Migration().name, index + 1] as const);
const NEWEST = migrations.length;

let tables: VersionedTables;
beforeEach(async () => void (tables = await VersionedTables.create()));
afterEach(() => tables.drop());

describe('Tables filled under', () => {
  it.each(VERSIONS)('%s lose nothing on the way to the newest version, back, and there again', async (_, version) => {
    const before = await tables.fill(version);
    await tables.start(NEWEST);
    expectSame(before, await tables.read());
    await tables.db.undoMigrations(NEWEST - version);
    expectSame(before, await tables.read());
    await tables.start(NEWEST);
    expectSame(before, await tables.read());
  });
});
