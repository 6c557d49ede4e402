import type { EthAddress } from '../../common/ids.js';
import type { Queryable } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';

/** A sealed file, as it is served. */
export interface StoredFile {
  readonly key: Buffer;
  /** Bytes of all its pieces. */
  readonly size: number;
  readonly expiresAt: Date;
  readonly isExpired: boolean;
}

/** Bytes that are kept. */
export interface Kept {
  readonly all: number;
  /** Of them, for one receiver within a day. */
  readonly receiverToday: number;
}

/** Pieces that one statement deletes: 16 MB. */
export const STEP_PIECES = 64;

/**
 * Tables `attachment` and `attachment_chunk`: files behind links. The database knows neither a link (only a keyed hash
 * of its id) nor a file's key, which is in the message alone.
 */
export class AttachmentStore {
  constructor(private readonly sealer: Sealer) {}

  /** What a link's id is stored as. */
  keyOf(id: string): Buffer {
    return this.sealer.keyedHash('attachment', id);
  }

  async add(
    tx: Queryable,
    file: { key: Buffer; receiver: EthAddress; size: number; expiresAt: Date; pieces: Iterable<Uint8Array> },
  ): Promise<void> {
    const { key, receiver, size, expiresAt, pieces } = file;
    const sql = 'INSERT INTO attachment (id_key, receiver_key, size, expires_at) VALUES ($1, $2, $3, $4)';
    await tx.query(sql, [key, this.#receiverKey(receiver), size, expiresAt], 'attachment-add');
    let position = 0;
    for (const piece of pieces) {
      const values = [key, position, piece];
      await tx.query('INSERT INTO attachment_chunk VALUES ($1, $2, $3)', values, 'attachment-chunk-add');
      position += 1;
    }
  }

  async find(db: Queryable, key: Buffer): Promise<StoredFile | null> {
    const sql = 'SELECT size, expires_at, expires_at <= now() AS expired FROM attachment WHERE id_key = $1';
    const [row] = await db.query<{ size: string; expires_at: Date; expired: boolean }>(sql, [key], 'attachment-find');
    return row ? { key, size: Number(row.size), expiresAt: row.expires_at, isExpired: row.expired } : null;
  }

  /** Null when it was deleted in the meantime. */
  async piece(db: Queryable, { key }: StoredFile, position: number): Promise<Buffer | null> {
    const sql = 'SELECT ciphertext FROM attachment_chunk WHERE id_key = $1 AND position = $2';
    const [row] = await db.query<{ ciphertext: Buffer }>(sql, [key, position], 'attachment-chunk');
    return row?.ciphertext ?? null;
  }

  async kept(db: Queryable, receiver: EthAddress): Promise<Kept> {
    const sql = `SELECT coalesce(sum(size), 0) AS "all", coalesce(sum(size) FILTER (WHERE receiver_key = $1
      AND created_at > now() - interval '1 day'), 0) AS today FROM attachment`;
    const values = [this.#receiverKey(receiver)];
    const [row] = await db.query<{ all: string; today: string }>(sql, values, 'attachment-kept');
    return { all: Number(row!.all), receiverToday: Number(row!.today) };
  }

  async bytesKept(db: Queryable): Promise<number> {
    const [row] = await db.query<{ bytes: string }>('SELECT coalesce(sum(size), 0) AS bytes FROM attachment');
    return Number(row!.bytes);
  }

  /**
   * Deletes pieces of files that are expired, few at a time, since they are large: their links have been dead since they
   * expired. @returns how many, `limit` at most
   */
  async purgePieces(db: Queryable, limit: number): Promise<number> {
    const sql = `DELETE FROM attachment_chunk WHERE (id_key, position) IN (SELECT id_key, position
      FROM attachment JOIN attachment_chunk USING (id_key) WHERE expires_at <= now() ORDER BY expires_at LIMIT $1)
      RETURNING position`;
    return (await db.query(sql, [limit])).length;
  }

  /** Deletes files that are expired and have no pieces any more. @returns how many, `limit` at most */
  async purgeFiles(db: Queryable, limit: number): Promise<number> {
    const sql = `DELETE FROM attachment WHERE id_key IN (SELECT id_key FROM attachment f WHERE expires_at <= now()
      AND NOT EXISTS (SELECT FROM attachment_chunk c WHERE c.id_key = f.id_key OFFSET 0)
      ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING size`;
    return (await db.query(sql, [limit])).length;
  }

  #receiverKey(receiver: EthAddress): Buffer {
    return this.sealer.keyedHash('attachment receiver', receiver);
  }
}
