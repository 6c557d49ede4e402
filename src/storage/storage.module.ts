import { Global, Inject, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { errorCode } from '../common/errors.js';
import { CRYPTO, EVENT_LOG, RANDOM, SECRETS, SETTINGS } from '../config/tokens.js';
import type { Secrets } from '../config/secrets.js';
import type { Settings } from '../config/settings.js';
import type { EventLog } from '../ops/event-log.js';
import type { CryptoProvider, RandomBytes } from '../protocol/crypto/provider.js';
import { Database } from './database.js';
import { KEYS_REREAD_MS, Sealer } from './sealer.js';

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
export class StorageModule implements OnModuleInit, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly db: Database,
    private readonly sealer: Sealer,
    @Inject(EVENT_LOG) private readonly log: EventLog,
  ) {}

  onModuleInit(): void {
    this.#timer = setInterval(() => this.#refreshKeys(), KEYS_REREAD_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.db.close();
  }

  #refreshKeys(): void {
    try {
      this.sealer.refreshKeys();
    } catch (error) {
      this.log.warn('storage.keys.unreadable', { code: errorCode(error) });
    }
  }
}
