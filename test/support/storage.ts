import { randomBytes } from 'node:crypto';
import { createNobleProvider } from '../../src/protocol/crypto/noble.js';
import { Database } from '../../src/storage/database.js';
import { Sealer } from '../../src/storage/sealer.js';
import { createTestSchema } from './database.js';

/** An open database in a schema of its own, and keys for it. */
export interface TestStorage {
  readonly db: Database;
  readonly sealer: Sealer;
  close(): Promise<void>;
}

export async function openTestStorage(name: string): Promise<TestStorage> {
  const schema = await createTestSchema(name);
  const db = new Database(schema.options);
  await db.open();
  const secrets = { rootSecret: randomBytes(32), storageKeys: [{ id: 1, key: randomBytes(32) }] as const };
  const close = async () => {
    await db.close();
    await schema.drop();
  };
  return { db, sealer: new Sealer(createNobleProvider(), randomBytes, secrets), close };
}
