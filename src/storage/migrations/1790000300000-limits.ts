import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How much somebody did in the present window of time, and an index from which a mailbox is weighed by itself. */
export class Limits1790000300000 implements MigrationInterface {
  readonly name = 'Limits1790000300000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE rate_window (
      subject_key bytea PRIMARY KEY,
      window_at timestamptz NOT NULL,
      used integer NOT NULL
    ) WITH (fillfactor = 80)`);
    await runner.query('CREATE INDEX rate_window_age ON rate_window (window_at)');
    await runner.query('DROP INDEX mailbox_page');
    await runner.query('CREATE INDEX mailbox_page ON mailbox (receiver, position) INCLUDE (size)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX mailbox_page');
    await runner.query('CREATE INDEX mailbox_page ON mailbox (receiver, position)');
    await runner.query('DROP TABLE rate_window');
  }
}
