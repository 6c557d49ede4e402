import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Links between people outside dm3 and dm3 names, and what each one-time code is good for. */
export class LinkedProfiles1790000900000 implements MigrationInterface {
  readonly name = 'LinkedProfiles1790000900000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

const UP = [
  `CREATE TABLE profile_link (
    id uuid PRIMARY KEY,
    ghost_key bytea NOT NULL,
    owner_key bytea NOT NULL,
    sealed_link bytea NOT NULL,
    is_published boolean NOT NULL DEFAULT false,
    expires_at timestamptz NOT NULL
  )`,
  'CREATE INDEX profile_link_ghost ON profile_link (ghost_key)',
  'CREATE UNIQUE INDEX profile_link_published ON profile_link (ghost_key) WHERE is_published',
  'CREATE INDEX profile_link_owner ON profile_link (owner_key) WHERE is_published',
  'CREATE INDEX profile_link_expiry ON profile_link (expires_at)',
  // Codes are good for minutes: whoever waits for one asks for another.
  'DELETE FROM notification_code',
  'ALTER TABLE notification_code ADD COLUMN purpose_key bytea NOT NULL',
];

const DOWN = ['ALTER TABLE notification_code DROP COLUMN purpose_key', 'DROP TABLE profile_link'];
