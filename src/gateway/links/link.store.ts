import type { EthAddress } from '../../common/ids.js';
import type { Queryable, Tx } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import type { Link, SignedLink } from './link.js';

interface Row {
  readonly id: string;
  readonly sealed_link: Buffer;
}

/** One that is being made. */
export type OpenLink = Link & { readonly secondsLeft: number };

const place = (id: string) => ({ table: 'profile_link', column: 'sealed_link', row: id });
const BY_ID = 'SELECT id, sealed_link FROM profile_link WHERE id = $1 AND NOT is_published AND expires_at > now()';

/**
 * Table `profile_link`: links that are published, one for a ghost at most, and those that are being made. Nothing is
 * found any more once its time is over.
 */
export class LinkStore {
  constructor(private readonly sealer: Sealer) {}

  /** A link to be made within so many seconds. */
  async begin(db: Queryable, link: Link, ghost: EthAddress, seconds: number): Promise<void> {
    const sql = `INSERT INTO profile_link (id, ghost_key, owner_key, sealed_link, expires_at)
      VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))`;
    await db.query(sql, [link.id, this.#ghostKey(ghost), this.#ownerKey(link.owner), this.#seal(link), seconds]);
  }

  /** One that is being made. */
  async begun(db: Queryable, id: string): Promise<Link | null> {
    return this.#first(await db.query<Row>(BY_ID, [id]));
  }

  /** Those of a ghost that are being made, the newest first. */
  async openOf(db: Queryable, ghost: EthAddress, limit: number): Promise<OpenLink[]> {
    const sql = `SELECT id, sealed_link, extract(epoch FROM expires_at - now())::float8 AS seconds_left FROM profile_link
      WHERE ghost_key = $1 AND NOT is_published AND expires_at > now() ORDER BY expires_at DESC LIMIT $2`;
    const rows = await db.query<Row & { seconds_left: number }>(sql, [this.#ghostKey(ghost), limit]);
    return rows.map((row) => ({ ...this.#open(row), secondsLeft: row.seconds_left }));
  }

  /** What a ghost's owner signs from now on for a link that was begun counts for nothing. */
  async removeOpen(db: Queryable, ghost: EthAddress): Promise<void> {
    await db.query('DELETE FROM profile_link WHERE ghost_key = $1 AND NOT is_published', [this.#ghostKey(ghost)]);
  }

  async sign(db: Queryable, link: SignedLink): Promise<void> {
    const sql = 'UPDATE profile_link SET sealed_link = $2 WHERE id = $1 AND NOT is_published';
    await db.query(sql, [link.id, this.#seal(link)]);
  }

  /** Nobody else publishes or removes a link of the ghost until the transaction ends. */
  async lock(tx: Tx, ghost: EthAddress): Promise<void> {
    await tx.query('SELECT 1 FROM profile_link WHERE ghost_key = $1 ORDER BY id FOR UPDATE', [this.#ghostKey(ghost)]);
  }

  /** In place of the ghost's former link, until its own time is over. False if it is not being made any more. */
  async publish(tx: Tx, { id, profileLink }: SignedLink, ghost: EthAddress): Promise<boolean> {
    await tx.query('DELETE FROM profile_link WHERE ghost_key = $1 AND is_published', [this.#ghostKey(ghost)]);
    const sql = `UPDATE profile_link SET is_published = true,
      expires_at = coalesce(to_timestamp($2::float8), 'infinity') WHERE id = $1 RETURNING 1`;
    return (await tx.query(sql, [id, profileLink.expirationTime])).length > 0;
  }

  async ofGhost(db: Queryable, ghost: EthAddress): Promise<SignedLink | null> {
    const sql = 'SELECT id, sealed_link FROM profile_link WHERE ghost_key = $1 AND is_published AND expires_at > now()';
    return this.#first(await db.query<Row>(sql, [this.#ghostKey(ghost)], 'profile-link-of-ghost')) as SignedLink | null;
  }

  async ofOwner(db: Queryable, owner: EthAddress, limit: number): Promise<SignedLink[]> {
    const sql = `SELECT id, sealed_link FROM profile_link
      WHERE owner_key = $1 AND is_published AND expires_at > now() ORDER BY id LIMIT $2`;
    const rows = await db.query<Row>(sql, [this.#ownerKey(owner), limit]);
    return rows.map((row) => this.#open(row) as SignedLink);
  }

  async remove(db: Queryable, id: string): Promise<void> {
    await db.query('DELETE FROM profile_link WHERE id = $1', [id]);
  }

  /** Deletes at most `limit` whose time is over, and returns how many. */
  async purge(db: Queryable, limit: number): Promise<number> {
    const sql = `DELETE FROM profile_link WHERE id IN (
      SELECT id FROM profile_link WHERE expires_at <= now() ORDER BY expires_at LIMIT $1
      FOR UPDATE SKIP LOCKED) RETURNING 1`;
    return (await db.query(sql, [limit])).length;
  }

  #first([row]: readonly Row[]): Link | null {
    return row ? this.#open(row) : null;
  }

  #open({ id, sealed_link }: Row): Link {
    return { id, ...this.sealer.openJson<Omit<Link, 'id'>>(place(id), sealed_link) };
  }

  #seal({ id, ...link }: Link): Buffer {
    return this.sealer.sealJson(place(id), link);
  }

  #ghostKey(ghost: EthAddress): Buffer {
    return this.sealer.keyedHash('linked ghost', ghost);
  }

  #ownerKey(owner: EthAddress): Buffer {
    return this.sealer.keyedHash('linked owner', owner);
  }
}
