import type { EthAddress } from '../../common/ids.js';
import type { Queryable } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import { addressBytes } from '../addresses.js';
import type { HeldRules } from './evaluate.js';

const place = (address: EthAddress) => ({ table: 'account', column: 'sealed_rules', row: address });

/** Column `account.sealed_rules`: whom an account blocks is a secret. Handing in the profile again leaves it alone. */
export class SpamRulesStore {
  constructor(private readonly sealer: Sealer) {}

  /** Null if the account never set rules, or is not here. */
  async find(db: Queryable, address: EthAddress): Promise<HeldRules | null> {
    const sql = 'SELECT sealed_rules FROM account WHERE address = $1';
    const [row] = await db.query<{ sealed_rules: Buffer | null }>(sql, [addressBytes(address)], 'spam-rules-find');
    return row?.sealed_rules ? this.sealer.openJson<HeldRules>(place(address), row.sealed_rules) : null;
  }

  async save(db: Queryable, address: EthAddress, held: HeldRules): Promise<void> {
    const sql = 'UPDATE account SET sealed_rules = $2 WHERE address = $1';
    await db.query(sql, [addressBytes(address), this.sealer.sealJson(place(address), held)]);
  }
}
