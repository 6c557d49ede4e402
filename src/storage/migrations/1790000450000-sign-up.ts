import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whether an account was logged in to: till then the token of its sign-up counts. */
export class SignUp1790000450000 implements MigrationInterface {
  readonly name = 'SignUp1790000450000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE account ADD COLUMN logged_in boolean NOT NULL DEFAULT false');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE account DROP COLUMN logged_in');
  }
}
