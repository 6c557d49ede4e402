import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How accounts are told that messages wait, and the codes that prove whose a mailbox is. */
export class Notifications1790000600000 implements MigrationInterface {
  readonly name = 'Notifications1790000600000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

const ACCOUNT = 'account bytea NOT NULL CHECK (octet_length(account) = 20)';

const UP = [
  'ALTER TABLE account ADD COLUMN notifications boolean NOT NULL DEFAULT false',
  `CREATE TABLE notification_channel (
    id uuid PRIMARY KEY,
    ${ACCOUNT},
    type text NOT NULL CHECK (type IN ('EMAIL', 'PUSH')),
    sealed_recipient bytea NOT NULL,
    is_enabled boolean NOT NULL DEFAULT true,
    is_verified boolean NOT NULL,
    told_position bigint NOT NULL,
    next_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    UNIQUE (account, type)
  ) WITH (fillfactor = 80)`,
  `CREATE TABLE notification_code (
    id uuid PRIMARY KEY,
    ${ACCOUNT},
    recipient_key bytea NOT NULL,
    code_key bytea NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    is_used boolean NOT NULL DEFAULT false,
    sent_at timestamptz NOT NULL DEFAULT now()
  )`,
  'CREATE INDEX notification_code_account ON notification_code (account, sent_at)',
  'CREATE INDEX notification_code_recipient ON notification_code (recipient_key, sent_at)',
  'CREATE INDEX notification_code_age ON notification_code (sent_at)',
];

const DOWN = [
  'DROP TABLE notification_code',
  'DROP TABLE notification_channel',
  'ALTER TABLE account DROP COLUMN notifications',
];
