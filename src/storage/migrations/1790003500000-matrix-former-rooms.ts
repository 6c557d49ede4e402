import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Rooms that bridged rooms were before they were upgraded, and whose events bring files. */
export class MatrixFormerRooms1790003500000 implements MigrationInterface {
  readonly name = 'MatrixFormerRooms1790003500000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE matrix_former_room (
      room_key bytea PRIMARY KEY,
      portal_id uuid NOT NULL REFERENCES matrix_portal (id) ON DELETE CASCADE
    )`);
    await runner.query('CREATE INDEX matrix_former_room_portal ON matrix_former_room (portal_id)');
    await runner.query('ALTER TABLE matrix_inbox ADD COLUMN file_key bytea');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE matrix_inbox DROP COLUMN file_key');
    await runner.query('DROP TABLE matrix_former_room');
  }
}
