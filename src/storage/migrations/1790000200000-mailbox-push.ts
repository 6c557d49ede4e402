import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When an envelope was first pushed to a connected client of its receiver; null while none has had it. */
export class MailboxPush1790000200000 implements MigrationInterface {
  readonly name = 'MailboxPush1790000200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE mailbox ADD COLUMN pushed_at timestamptz');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE mailbox DROP COLUMN pushed_at');
  }
}
