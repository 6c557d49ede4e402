import { randomUUID } from 'node:crypto';
import type { EnsName, EthAddress } from '../../../common/ids.js';
import type { Target } from '../../../gateway/adapter/adapter.js';
import type { Queryable } from '../../../storage/database.js';
import type { Sealer } from '../../../storage/sealer.js';
import type { Portal } from './portal.store.js';

/**
 * - `asked`: to take part, and has not written yet
 * - `joined`
 * - `left`: by own wish, or because the room is not bridged any more
 * - `removed`: by somebody in the room; only an invitation from there brings the member back
 */
export type MemberState = 'asked' | 'joined' | 'left' | 'removed';

/** Somebody of dm3 in a portal room. */
export interface Member {
  readonly id: string;
  readonly portalId: string;
  readonly state: MemberState;
  readonly identity: EthAddress;
  readonly name: EnsName;
  readonly ghost: string;
  /** As the core knew it last: good enough while nobody can tell what it is now. */
  readonly target: Target;
  /** What brought the member in: done again after a crash, it is the same. Null for who came by himself. */
  readonly since: string | null;
}

interface Row {
  readonly id: string;
  readonly portal_id: string;
  readonly state: MemberState;
  readonly sealed_member: Buffer;
}

type Sealed = Pick<Member, 'identity' | 'name' | 'ghost' | 'target' | 'since'>;

const COLUMNS = 'id, portal_id, state, sealed_member';
const place = (id: string) => ({ table: 'matrix_member', column: 'sealed_member', row: id });

/** Table `matrix_member`: by address, so that nobody takes part under two names. */
export class MemberStore {
  constructor(private readonly sealer: Sealer) {}

  /** Whatever the member was before. */
  async put(
    db: Queryable,
    { id: portalId }: Pick<Portal, 'id'>,
    state: 'asked' | 'joined',
    sealed: Sealed,
  ): Promise<void> {
    const found = await this.find(db, { id: portalId }, sealed.identity);
    const id = found?.id ?? randomUUID();
    const sql = `INSERT INTO matrix_member (id, portal_id, member_key, state, sealed_member)
      VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (id) DO UPDATE SET state = excluded.state, sealed_member = excluded.sealed_member`;
    const values = [id, portalId, this.#key(sealed.identity), state, this.sealer.sealJson(place(id), sealed)];
    await db.query(sql, values);
  }

  async setState(db: Queryable, { id }: Pick<Member, 'id'>, state: MemberState): Promise<void> {
    await db.query('UPDATE matrix_member SET state = $2 WHERE id = $1', [id, state]);
  }

  async find(db: Queryable, portal: Pick<Portal, 'id'>, identity: EthAddress): Promise<Member | null> {
    const sql = `SELECT ${COLUMNS} FROM matrix_member WHERE portal_id = $1 AND member_key = $2`;
    const [row] = await db.query<Row>(sql, [portal.id, this.#key(identity)], 'matrix-member-find');
    return row ? this.#open(row) : null;
  }

  joined(db: Queryable, portal: Pick<Portal, 'id'>): Promise<Member[]> {
    return this.in(db, portal, ['joined']);
  }

  /** In the order they came first. */
  async in(db: Queryable, portal: Pick<Portal, 'id'>, states: readonly MemberState[]): Promise<Member[]> {
    const sql = `SELECT ${COLUMNS} FROM matrix_member WHERE portal_id = $1 AND state = ANY ($2)
      ORDER BY created_at, id`;
    return (await db.query<Row>(sql, [portal.id, states], 'matrix-member-in')).map((row) => this.#open(row));
  }

  #open({ id, portal_id, state, sealed_member }: Row): Member {
    return { id, portalId: portal_id, state, ...this.sealer.openJson<Sealed>(place(id), sealed_member) };
  }

  #key(identity: EthAddress): Buffer {
    return this.sealer.keyedHash('matrix member', identity);
  }
}
