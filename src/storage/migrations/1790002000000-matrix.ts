import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the Matrix adapter keeps: events not handled yet, direct chats, ghosts' accounts, ids of events. */
export class Matrix1790002000000 implements MigrationInterface {
  readonly name = 'Matrix1790002000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['matrix_event', 'matrix_ghost', 'matrix_room', 'matrix_inbox']) {
      await runner.query(`DROP TABLE ${table}`);
    }
  }
}

const UP = [
  `CREATE TABLE matrix_inbox (
    id uuid PRIMARY KEY,
    position bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    event_key bytea NOT NULL UNIQUE,
    room_key bytea NOT NULL,
    sealed_event bytea,
    state text NOT NULL DEFAULT 'waiting',
    attempts int NOT NULL DEFAULT 0,
    code text,
    next_at timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    received_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz
  )`,
  "CREATE INDEX matrix_inbox_waiting ON matrix_inbox (room_key, position) WHERE state = 'waiting'",
  'CREATE INDEX matrix_inbox_settled ON matrix_inbox (settled_at) WHERE settled_at IS NOT NULL',
  `CREATE TABLE matrix_room (
    id uuid PRIMARY KEY,
    room_key bytea UNIQUE,
    pair_key bytea NOT NULL,
    state text NOT NULL,
    told_encrypted boolean NOT NULL DEFAULT false,
    sealed_room bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz NOT NULL DEFAULT now()
  )`,
  'CREATE INDEX matrix_room_pair ON matrix_room (pair_key, used_at DESC)',
  `CREATE TABLE matrix_ghost (
    user_key bytea PRIMARY KEY,
    sealed_ghost bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  )`,
  `CREATE TABLE matrix_event (
    event_key bytea PRIMARY KEY,
    author_key bytea NOT NULL,
    message_key bytea,
    part int,
    sealed_event_id bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (message_key, part)
  )`,
  'CREATE INDEX matrix_event_created ON matrix_event (created_at)',
];
