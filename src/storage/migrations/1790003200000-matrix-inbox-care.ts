import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Events that failed for good stay until an operator had the time to have them tried again. */
export class MatrixInboxCare1790003200000 implements MigrationInterface {
  readonly name = 'MatrixInboxCare1790003200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX matrix_inbox_failed ON matrix_inbox (settled_at)
      WHERE state = 'failed' AND sealed_event IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX matrix_inbox_failed');
  }
}
