import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What processes that host a network have handed to it for workers elsewhere, or are handing to it. */
export class RemoteSends1790001300000 implements MigrationInterface {
  readonly name = 'RemoteSends1790001300000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE remote_send');
  }
}

const UP = [
  `CREATE TABLE remote_send (
    send_key bytea PRIMARY KEY,
    holder uuid NOT NULL,
    leased_until timestamptz NOT NULL,
    taken_at timestamptz
  )`,
  'CREATE INDEX remote_send_age ON remote_send (coalesce(taken_at, leased_until))',
];
