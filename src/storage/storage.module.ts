import { Global, Module, type OnApplicationShutdown } from '@nestjs/common';
import { CRYPTO, RANDOM, SECRETS, SETTINGS } from '../config/tokens.js';
import type { Secrets } from '../config/secrets.js';
import type { Settings } from '../config/settings.js';
import type { CryptoProvider, RandomBytes } from '../protocol/crypto/provider.js';
import { Database } from './database.js';
import { Sealer } from './sealer.js';

@Global()
@Module({
  providers: [
    {
      provide: Database,
      inject: [SETTINGS],
      useFactory: async ({ database }: Settings) => {
        const db = new Database(database);
        await db.open();
        return db;
      },
    },
    {
      provide: Sealer,
      inject: [CRYPTO, RANDOM, SECRETS],
      useFactory: (crypto: CryptoProvider, random: RandomBytes, secrets: Secrets) =>
        new Sealer(crypto, random, secrets),
    },
  ],
  exports: [Database, Sealer],
})
export class StorageModule implements OnApplicationShutdown {
  constructor(private readonly db: Database) {}

  async onApplicationShutdown(): Promise<void> {
    await this.db.close();
  }
}
