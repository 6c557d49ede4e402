import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Sums of what came in, for the metrics that delivery services publish. */
export class Traffic1790000400000 implements MigrationInterface {
  readonly name = 'Traffic1790000400000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE traffic (
      interval_start timestamptz PRIMARY KEY,
      messages bigint NOT NULL,
      bytes bigint NOT NULL,
      notifications bigint NOT NULL
    )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE traffic');
  }
}
