import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Who holds a lease, so that those of the dead need not run out; since when a pair has had nothing left and a
 * destination has not failed any more, so that their rows can go.
 */
export class LeasesAndIdle1790003000000 implements MigrationInterface {
  readonly name = 'LeasesAndIdle1790003000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

const UP = [
  `ALTER TABLE outbox_head ADD COLUMN holder uuid,
    ADD COLUMN idle_at timestamptz NOT NULL DEFAULT now()`,
  'CREATE INDEX outbox_head_idle ON outbox_head (idle_at) WHERE next_at IS NULL',
  // Whether a dead letter refers to a head that is to go.
  'CREATE INDEX outbox_dead_head ON outbox_dead (head_id)',
  'ALTER TABLE outbox_lane ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now()',
  'CREATE INDEX outbox_lane_changed ON outbox_lane (changed_at) WHERE paused_at IS NULL',
];

const DOWN = [
  'ALTER TABLE outbox_lane DROP COLUMN changed_at',
  'DROP INDEX outbox_dead_head',
  'ALTER TABLE outbox_head DROP COLUMN holder, DROP COLUMN idle_at',
];
