import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Devices that share a mailbox, challenges that are answered without being repeated, and profiles that had their day. */
export class Access1790000310000 implements MigrationInterface {
  readonly name = 'Access1790000310000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

const ADDRESS = 'bytea NOT NULL CHECK (octet_length(%) = 20)';
const address = (column: string) => `${column} ${ADDRESS.replace('%', column)}`;

const UP = [
  'DELETE FROM login_challenge', // what is under way is asked for again
  `ALTER TABLE login_challenge
    ADD COLUMN name_key bytea NOT NULL,
    ADD COLUMN sealed_challenge bytea NOT NULL,
    ADD COLUMN issued bigint GENERATED ALWAYS AS IDENTITY`,
  'CREATE INDEX login_challenge_latest ON login_challenge (name_key, issued)',
  'ALTER TABLE mailbox ADD COLUMN postmarked_ms bigint', // null in rows from before: they are acknowledged by hash
  `CREATE TABLE mailbox_device (
    ${address('receiver')},
    device_key bytea NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (receiver, device_key)
  )`,
  'CREATE INDEX mailbox_device_age ON mailbox_device (seen_at)',
  `CREATE TABLE mailbox_acknowledgement (
    envelope_id uuid NOT NULL REFERENCES mailbox (id) ON DELETE CASCADE,
    device_key bytea NOT NULL,
    PRIMARY KEY (envelope_id, device_key)
  )`,
  `CREATE TABLE replaced_profile (
    ${address('address')},
    profile_hash bytea NOT NULL,
    replaced_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (address, profile_hash)
  )`,
];

const DOWN = [
  'DROP TABLE replaced_profile',
  'DROP TABLE mailbox_acknowledgement',
  'DROP TABLE mailbox_device',
  'ALTER TABLE mailbox DROP COLUMN postmarked_ms',
  `ALTER TABLE login_challenge DROP COLUMN name_key, DROP COLUMN sealed_challenge, DROP COLUMN issued`,
];
