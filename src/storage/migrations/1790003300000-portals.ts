import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Matrix rooms that are bridged, and who of dm3 is in them. */
export class Portals1790003300000 implements MigrationInterface {
  readonly name = 'Portals1790003300000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX matrix_room_making');
    await runner.query('DROP TABLE matrix_member');
    await runner.query('DROP TABLE matrix_portal');
  }
}

const UP = [
  "CREATE INDEX matrix_room_making ON matrix_room (id) WHERE state = 'making'",
  `CREATE TABLE matrix_portal (
    id uuid PRIMARY KEY,
    room_key bytea NOT NULL UNIQUE,
    address_key bytea NOT NULL UNIQUE,
    state text NOT NULL,
    sealed_portal bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  )`,
  `CREATE TABLE matrix_member (
    id uuid PRIMARY KEY,
    portal_id uuid NOT NULL REFERENCES matrix_portal (id) ON DELETE CASCADE,
    member_key bytea NOT NULL,
    state text NOT NULL,
    sealed_member bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (portal_id, member_key)
  )`,
];
