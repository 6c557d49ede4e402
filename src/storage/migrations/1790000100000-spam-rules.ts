import type { MigrationInterface, QueryRunner } from 'typeorm';

/** From whom an account takes messages; null: from everybody. */
export class SpamRules1790000100000 implements MigrationInterface {
  readonly name = 'SpamRules1790000100000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE account ADD COLUMN sealed_rules bytea');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE account DROP COLUMN sealed_rules');
  }
}
