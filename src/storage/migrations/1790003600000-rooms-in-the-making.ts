import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Chats that are about to be made are found by whom they are made for. Older ones do not say, and are looked at all. */
export class RoomsInTheMaking1790003600000 implements MigrationInterface {
  readonly name = 'RoomsInTheMaking1790003600000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE matrix_room ADD COLUMN user_key bytea');
    await runner.query('DROP INDEX matrix_room_making');
    await runner.query("CREATE INDEX matrix_room_making ON matrix_room (user_key) WHERE state = 'making'");
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX matrix_room_making');
    await runner.query("CREATE INDEX matrix_room_making ON matrix_room (id) WHERE state = 'making'");
    await runner.query('ALTER TABLE matrix_room DROP COLUMN user_key');
  }
}
