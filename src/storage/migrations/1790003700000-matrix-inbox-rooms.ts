import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A room's next event is found without a look at all that waits, be it new or tried before. */
export class MatrixInboxRooms1790003700000 implements MigrationInterface {
  readonly name = 'MatrixInboxRooms1790003700000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      "CREATE INDEX matrix_inbox_new ON matrix_inbox (room_key, position) WHERE state = 'waiting' AND attempts = 0",
    );
    await runner.query(
      "CREATE INDEX matrix_inbox_repeated ON matrix_inbox (next_at) WHERE state = 'waiting' AND attempts > 0",
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX matrix_inbox_repeated');
    await runner.query('DROP INDEX matrix_inbox_new');
  }
}
