import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What accounts of one service permit each other, what became of messages that are gone, and who is online. */
export class DeliveryStates1790000500000 implements MigrationInterface {
  readonly name = 'DeliveryStates1790000500000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

const UP = [
  `ALTER TABLE account ADD COLUMN permissions text[] NOT NULL DEFAULT '{}'`,
  // The keys are those that the row in mailbox had.
  `CREATE TABLE mailbox_outcome (
    encrypted_key bytea NOT NULL,
    sender_key bytea NOT NULL,
    message_key bytea,
    outcome text NOT NULL CHECK (outcome IN ('acknowledged', 'recalled')),
    settled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (encrypted_key, sender_key)
  )`,
  'CREATE INDEX mailbox_outcome_message ON mailbox_outcome (message_key, sender_key)',
  'CREATE INDEX mailbox_outcome_age ON mailbox_outcome (settled_at)',
  // Unlogged: what a crash of the database empties, the next heartbeat of every process fills again.
  `CREATE UNLOGGED TABLE presence (
    address bytea NOT NULL CHECK (octet_length(address) = 20),
    process uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (address, process)
  ) WITH (fillfactor = 80)`,
];

const DOWN = ['DROP TABLE presence', 'DROP TABLE mailbox_outcome', 'ALTER TABLE account DROP COLUMN permissions'];
