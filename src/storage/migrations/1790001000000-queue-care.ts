import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Lanes (destinations that are paused, failing or full), priorities, delay notices; what operators are told of a
 * message: when it moved, what each attempt was answered, and the ids it is found by.
 */
export class QueueCare1790001000000 implements MigrationInterface {
  readonly name = 'QueueCare1790001000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

const DUE = 'CREATE INDEX outbox_head_due ON outbox_head';
const STATES = ['accepted', 'frozen', 'delivered', 'failed'];
const stateCheck = (states: readonly string[]) => `ALTER TABLE message DROP CONSTRAINT message_state_check,
  ADD CONSTRAINT message_state_check CHECK (state IN (${states.map((state) => `'${state}'`).join(', ')}))`;

const UP = [
  `ALTER TABLE outbox_head ADD COLUMN priority smallint NOT NULL DEFAULT 0 CHECK (priority IN (0, 1)),
    ADD COLUMN parked boolean NOT NULL DEFAULT false`,
  'DROP INDEX outbox_head_due',
  `${DUE} (priority, next_at) WHERE next_at IS NOT NULL AND NOT parked`,
  'CREATE INDEX outbox_head_parked ON outbox_head (destination_key, next_at) WHERE parked',
  'CREATE INDEX outbox_head_leased ON outbox_head (destination_key) WHERE lease_until IS NOT NULL',
  'ALTER TABLE outbox_item ADD COLUMN notice_at timestamptz',
  'CREATE INDEX outbox_item_notice ON outbox_item (notice_at) WHERE notice_at IS NOT NULL',
  `CREATE TABLE outbox_lane (
    destination_key bytea PRIMARY KEY,
    network text NOT NULL,
    sealed_destination bytea NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    retry_at timestamptz,
    last_code text,
    paused_at timestamptz
  )`,
  `CREATE TABLE outbox_pause (
    network text PRIMARY KEY,
    paused_at timestamptz NOT NULL DEFAULT now()
  )`,
  stateCheck([...STATES, 'discarded']),
  'ALTER TABLE message ADD COLUMN frozen_at timestamptz, ADD COLUMN attempts integer NOT NULL DEFAULT 0',
  `CREATE TABLE message_event (
    id uuid PRIMARY KEY,
    message_id uuid NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    event text NOT NULL,
    attempt integer,
    code text,
    next_at timestamptz,
    sealed_answer bytea
  )`,
  'CREATE INDEX message_event_message ON message_event (message_id)',
  `CREATE TABLE message_trace (
    ref_key bytea NOT NULL,
    message_id uuid NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    PRIMARY KEY (ref_key, message_id)
  )`,
  'CREATE INDEX message_trace_message ON message_trace (message_id)',
];

const DOWN = [
  'DROP TABLE message_trace',
  'DROP TABLE message_event',
  'ALTER TABLE message DROP COLUMN frozen_at, DROP COLUMN attempts',
  `UPDATE message SET state = 'failed' WHERE state = 'discarded'`,
  stateCheck(STATES),
  'DROP TABLE outbox_pause',
  'DROP TABLE outbox_lane',
  'ALTER TABLE outbox_item DROP COLUMN notice_at',
  'DROP INDEX outbox_head_leased',
  'DROP INDEX outbox_head_parked',
  'DROP INDEX outbox_head_due',
  'ALTER TABLE outbox_head DROP COLUMN priority, DROP COLUMN parked',
  `${DUE} (next_at) WHERE next_at IS NOT NULL`,
];
