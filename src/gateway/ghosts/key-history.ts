import type { Clock } from '../../common/clock.js';
import type { EthAddress } from '../../common/ids.js';
import { addressBytes, addressFromBytes } from '../../delivery/addresses.js';
import type { Queryable } from '../../storage/database.js';

/** The time of one version of a ghost's dm3 keys. */
export interface KeyVersion {
  /** 1 for the first; a ghost may have skipped some. */
  readonly version: number;
  /** Null for the first. */
  readonly since: Date | null;
  /** When a newer one took its place; null for the current one. */
  readonly replacedAt: Date | null;
}

interface Rotation {
  readonly version: number;
  /** Null: of all ghosts, those included that are not known yet. */
  readonly ghost: EthAddress | null;
  readonly rotatedAt: Date;
}

interface Parts {
  readonly db: Queryable;
  readonly clock: Clock;
}

const FIRST: KeyVersion = { version: 1, since: null, replacedAt: null };

/**
 * Table `ghost_key_rotation`: which version of their dm3 keys ghosts have. A ghost's version is the newest entry for it
 * or for all, so that one row rotates a million ghosts. Entries are only ever added, each with a version above all
 * before it: what was read stays true, and what is missing is read on.
 */
export class KeyHistory {
  readonly #rotations: Rotation[] = [];
  #readAt = -Infinity;

  constructor(private readonly parts: Parts) {}

  /**
   * Gives a ghost, or all, the next version. One row, one statement: it is done or it is not.
   * @returns the new version
   */
  async rotate(ghost: EthAddress | null): Promise<number> {
    const sql = `INSERT INTO ghost_key_rotation (version, ghost)
      SELECT coalesce(max(version), 1) + 1, $1 FROM ghost_key_rotation ON CONFLICT DO NOTHING RETURNING version`;
    for (;;) {
      const [added] = await this.parts.db.query<{ version: number }>(sql, [ghost && addressBytes(ghost)]);
      if (added) return added.version; // else another process took the number, and has committed it by now
    }
  }

  /** Of one ghost, or of those that never were rotated alone; newest first. @param maxAgeMs how old the answer may be */
  async versionsOf(ghost: EthAddress | null, maxAgeMs = 0): Promise<readonly [KeyVersion, ...KeyVersion[]]> {
    if (this.parts.clock.now() - this.#readAt >= maxAgeMs) await this.#read();
    const versions: [KeyVersion, ...KeyVersion[]] = [FIRST];
    for (const { version, ghost: whose, rotatedAt } of this.#rotations) {
      if (whose !== null && whose !== ghost) continue;
      versions[0] = { ...versions[0], replacedAt: rotatedAt };
      versions.unshift({ version, since: rotatedAt, replacedAt: null });
    }
    return versions;
  }

  async #read(): Promise<void> {
    const { db, clock } = this.parts;
    const readAt = clock.now();
    const sql = `SELECT version, ghost, rotated_at AS "rotatedAt" FROM ghost_key_rotation
      WHERE version > $1 ORDER BY version`;
    const rows = await db.query<Row>(sql, [this.#newest()], 'ghost-key-rotations');
    const newest = this.#newest(); // others may have read meanwhile
    for (const row of rows.filter(({ version }) => version > newest)) {
      this.#rotations.push({ ...row, ghost: row.ghost && addressFromBytes(row.ghost) });
    }
    this.#readAt = Math.max(this.#readAt, readAt);
  }

  #newest(): number {
    return this.#rotations.at(-1)?.version ?? FIRST.version;
  }
}

interface Row {
  readonly version: number;
  readonly ghost: Buffer | null;
  readonly rotatedAt: Date;
}
