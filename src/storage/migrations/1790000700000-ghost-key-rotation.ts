import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Versions of ghosts' dm3 keys as a history that all ghosts share, instead of a number in each one's row. */
export class GhostKeyRotation1790000700000 implements MigrationInterface {
  readonly name = 'GhostKeyRotation1790000700000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE ghost_key_rotation (
      version integer PRIMARY KEY CHECK (version > 1),
      ghost bytea CHECK (octet_length(ghost) = 20),
      rotated_at timestamptz NOT NULL DEFAULT now()
    )`);
    await runner.query('ALTER TABLE ghost DROP COLUMN key_version');
  }

  /** The version before knows no rotation: its ghosts have their first keys again. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE ghost ADD COLUMN key_version integer NOT NULL DEFAULT 1');
    await runner.query('DROP TABLE ghost_key_rotation');
  }
}
