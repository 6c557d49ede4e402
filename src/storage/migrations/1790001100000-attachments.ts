import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Files that did not fit into messages, sealed under keys that only the messages hold. */
export class Attachments1790001100000 implements MigrationInterface {
  readonly name = 'Attachments1790001100000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

const UP = [
  `CREATE TABLE attachment (
    id_key bytea PRIMARY KEY,
    receiver_key bytea NOT NULL,
    size bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
  )`,
  'CREATE INDEX attachment_expiry ON attachment (expires_at)',
  `CREATE TABLE attachment_chunk (
    id_key bytea NOT NULL REFERENCES attachment ON DELETE CASCADE,
    position int NOT NULL,
    ciphertext bytea NOT NULL,
    PRIMARY KEY (id_key, position)
  )`,
  // Ciphertext does not get smaller: trying would only cost time.
  'ALTER TABLE attachment_chunk ALTER ciphertext SET STORAGE EXTERNAL',
];

const DOWN = ['DROP TABLE attachment_chunk', 'DROP TABLE attachment'];
