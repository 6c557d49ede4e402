import type { MessageId } from '../../common/ids.js';
import type { Queryable } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';

/** Of the keyed hash: enough to tell messages apart, and half the index. */
const KEY_BYTES = 16;
const MOST_FOUND = 20;

/** Table `message_trace`: by which ids the world knows a message; operators look it up by any of them. */
export class MessageTraceStore {
  constructor(private readonly sealer: Sealer) {}

  /** The same again changes nothing. @param refs dm3 hashes, Message-IDs, event ids: as the world writes them */
  async add(tx: Queryable, id: MessageId, refs: readonly string[]): Promise<void> {
    const sql = `INSERT INTO message_trace (ref_key, message_id) SELECT unnest($2::bytea[]), $1 ON CONFLICT DO NOTHING`;
    await tx.query(sql, [id, refs.map((ref) => this.#key(ref))], 'trace-add');
  }

  /** Newest first. One id may stand for several messages: a mail to several people, or its repeat under a forged id. */
  async find(db: Queryable, ref: string): Promise<MessageId[]> {
    const sql = `SELECT m.id FROM message_trace t JOIN message m ON m.id = t.message_id
      WHERE t.ref_key = ANY ($1) ORDER BY m.accepted_at DESC LIMIT ${MOST_FOUND}`;
    const rows = await db.query<{ id: string }>(sql, [spellings(ref).map((spelling) => this.#key(spelling))]);
    return rows.map(({ id }) => id as MessageId);
  }

  #key(ref: string): Buffer {
    return this.sealer.keyedHash('trace', canonical(ref)).subarray(0, KEY_BYTES);
  }
}

/** Hashes are hex in any case. */
const canonical = (ref: string): string => (/^0x[0-9a-f]+$/i.test(ref) ? ref.toLowerCase() : ref);

/** People copy a Message-ID with or without its angle brackets, and a hash without its 0x. */
function spellings(ref: string): string[] {
  const bare = ref.trim().replace(/^<(.*)>$/, '$1');
  return [...new Set([ref.trim(), bare, `<${bare}>`, ...(/^[0-9a-f]{64}$/i.test(bare) ? [`0x${bare}`] : [])])];
}
