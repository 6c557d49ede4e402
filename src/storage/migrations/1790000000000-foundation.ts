import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Columns named `sealed_*` hold sealed values, `*_key` hold keyed hashes (storage/sealer.ts); everything else may be
 * read by whoever holds the database: dm3 addresses, public profiles, states, codes, sizes and times.
 */
export class Foundation1790000000000 implements MigrationInterface {
  readonly name = 'Foundation1790000000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of TABLES) await runner.query(`DROP TABLE ${table}`);
  }
}

const TABLES = [
  'admin_token',
  'message_map',
  'message',
  'conversation',
  'ghost',
  'mailbox',
  'login_challenge',
  'account',
  'seen',
  'outbox_dead',
  'outbox_item',
  'outbox_head',
];

const ADDRESS = 'bytea NOT NULL CHECK (octet_length(%) = 20)';
const address = (column: string) => `${column} ${ADDRESS.replace('%', column)}`;

const UP = [
  // The queue: one head a pair, items in order behind it (outbox/).
  `CREATE TABLE outbox_head (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pair_key bytea NOT NULL UNIQUE,
    network text NOT NULL,
    destination_key bytea NOT NULL,
    last_seq bigint NOT NULL DEFAULT 0,
    next_at timestamptz,
    lease_until timestamptz,
    fence bigint NOT NULL DEFAULT 0
  ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500)`,
  `CREATE INDEX outbox_head_due ON outbox_head (next_at) WHERE next_at IS NOT NULL`,
  `CREATE TABLE outbox_item (
    head_id bigint NOT NULL REFERENCES outbox_head (id),
    seq bigint NOT NULL,
    kind text NOT NULL,
    ref uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    last_code text,
    PRIMARY KEY (head_id, seq)
  )`,
  `CREATE INDEX outbox_item_ref ON outbox_item (ref)`,
  `CREATE TABLE outbox_dead (
    ref uuid PRIMARY KEY,
    head_id bigint NOT NULL REFERENCES outbox_head (id),
    seq bigint NOT NULL,
    kind text NOT NULL,
    code text NOT NULL,
    attempts integer NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    died_at timestamptz NOT NULL DEFAULT now()
  )`,
  `CREATE INDEX outbox_dead_died ON outbox_dead (died_at)`,
  `CREATE TABLE seen (
    key bytea PRIMARY KEY,
    ref uuid NOT NULL,
    expires_at timestamptz NOT NULL
  )`,
  `CREATE INDEX seen_expires ON seen (expires_at)`,

  // The delivery service (delivery/).
  `CREATE TABLE account (
    ${address('address')} PRIMARY KEY,
    profile jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
  )`,
  `CREATE TABLE login_challenge (
    challenge_key bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
  )`,
  `CREATE INDEX login_challenge_expires ON login_challenge (expires_at)`,
  `CREATE TABLE mailbox (
    id uuid PRIMARY KEY,
    position bigint GENERATED ALWAYS AS IDENTITY,
    ${address('receiver')},
    sender_key bytea NOT NULL,
    message_key bytea,
    encrypted_key bytea NOT NULL,
    sealed_envelope bytea NOT NULL,
    size integer NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('verified', 'unverified')),
    received_at timestamptz NOT NULL DEFAULT now()
  )`,
  `CREATE INDEX mailbox_page ON mailbox (receiver, position)`,
  `CREATE INDEX mailbox_contact ON mailbox (receiver, sender_key, position)`,
  `CREATE INDEX mailbox_message ON mailbox (receiver, message_key)`,
  `CREATE INDEX mailbox_encrypted ON mailbox (receiver, encrypted_key)`,
  `CREATE INDEX mailbox_age ON mailbox (received_at)`,

  // The gateway's core (gateway/).
  `CREATE TABLE ghost (
    ${address('address')} PRIMARY KEY,
    network text NOT NULL,
    name_key bytea NOT NULL,
    sealed_foreign_address bytea NOT NULL,
    key_version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz
  )`,
  `CREATE INDEX ghost_name ON ghost (name_key)`, // not unique: ON CONFLICT watches one index, and two would race
  `CREATE TABLE conversation (
    id uuid PRIMARY KEY,
    ${address('identity')},
    ${address('ghost')},
    sealed_context bytea,
    sealed_shown_name bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz NOT NULL DEFAULT now()
  )`,
  `CREATE INDEX conversation_used ON conversation (used_at)`,
  `CREATE INDEX conversation_latest ON conversation (identity, ghost, used_at DESC)`,
  `CREATE TABLE message (
    id uuid PRIMARY KEY,
    direction text NOT NULL CHECK (direction IN ('to-dm3', 'from-dm3', 'notice')),
    network text NOT NULL,
    state text NOT NULL CHECK (state IN ('accepted', 'frozen', 'delivered', 'failed')),
    ${address('identity')},
    ${address('ghost')},
    conversation_id uuid REFERENCES conversation (id),
    sealed_payload bytea,
    sealed_frozen bytea,
    code text,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz
  )`,
  `CREATE INDEX message_conversation ON message (conversation_id)`,
  `CREATE INDEX message_settled ON message (settled_at) WHERE settled_at IS NOT NULL`,
  `CREATE TABLE message_map (
    id uuid PRIMARY KEY,
    ${address('owner')},
    message_key bytea,
    encrypted_key bytea NOT NULL,
    remote_key bytea NOT NULL,
    sealed_ids bytea NOT NULL,
    conversation_id uuid NOT NULL REFERENCES conversation (id),
    created_at timestamptz NOT NULL DEFAULT now()
  )`,
  `CREATE UNIQUE INDEX message_map_remote ON message_map (remote_key, owner)`,
  `CREATE INDEX message_map_message ON message_map (owner, message_key)`,
  `CREATE INDEX message_map_encrypted ON message_map (owner, encrypted_key)`,
  `CREATE INDEX message_map_conversation ON message_map (conversation_id)`,
  `CREATE INDEX message_map_age ON message_map (created_at)`,
  `CREATE TABLE admin_token (
    token_hash bytea PRIMARY KEY,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  )`,
];
