import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Lets the upkeep find what it removes or erases without reading what stays. */
export class Upkeep1790001200000 implements MigrationInterface {
  readonly name = 'Upkeep1790001200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX ghost_unused ON ghost (created_at) WHERE used_at IS NULL');
    // Settled and still with content: dead letters, while an operator may retry them.
    await runner.query(`CREATE INDEX message_content ON message (settled_at)
      WHERE settled_at IS NOT NULL AND sealed_payload IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX message_content');
    await runner.query('DROP INDEX ghost_unused');
  }
}
