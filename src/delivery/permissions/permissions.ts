import type { EthAddress } from '../../common/ids.js';
import type { NameService } from '../../naming/name-service.js';
import type { Database } from '../../storage/database.js';
import { AccountUnknownError, NotPermittedError } from './errors.js';
import type { Permission } from './permission.js';
import { permissionStore } from './permission.store.js';

interface Parts {
  readonly db: Database;
  readonly names: NameService;
}

/** What accounts of this service permit each other. It holds both ways: who keeps something back is not given it. */
export class Permissions {
  readonly #listeners: ((account: EthAddress) => void)[] = [];

  constructor(private readonly parts: Parts) {}

  /** Has `listener` called after each change of an account's permissions. */
  onChange(listener: (account: EthAddress) => void): void {
    this.#listeners.push(listener);
  }

  async of(account: EthAddress): Promise<readonly Permission[]> {
    return (await permissionStore.find(this.parts.db, [account])).get(account) ?? [];
  }

  async set(account: EthAddress, permissions: readonly Permission[]): Promise<void> {
    await permissionStore.save(this.parts.db, account, permissions);
    for (const listener of this.#listeners) listener(account);
  }

  /**
   * The account behind a name, if it and whoever asks both permit this.
   * @throws InvalidNameError, AccountUnknownError, NotPermittedError; NamingUnavailableError
   */
  async counterpart(permission: Permission, asker: EthAddress, otherName: string): Promise<EthAddress> {
    const { db, names } = this.parts;
    const name = await names.canonical(otherName);
    const other = await names.resolveAddress(name);
    const granted = await permissionStore.find(db, other ? [asker, other] : [asker]);
    if (!other || !granted.has(other)) throw new AccountUnknownError({ name });
    if (!granted.get(asker)?.includes(permission)) throw new NotPermittedError({ permission, by: 'asker' });
    if (!granted.get(other)!.includes(permission)) throw new NotPermittedError({ permission, by: 'other' });
    return other;
  }
}
