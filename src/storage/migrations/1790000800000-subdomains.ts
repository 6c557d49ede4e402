import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Names that the subdomain managers give away, and profiles of people who have no mailbox here. */
export class Subdomains1790000800000 implements MigrationInterface {
  readonly name = 'Subdomains1790000800000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE account ADD COLUMN mailbox boolean NOT NULL DEFAULT true');
    await runner.query(`CREATE TABLE user_name (
      label text PRIMARY KEY,
      skeleton text NOT NULL UNIQUE,
      address bytea NOT NULL UNIQUE REFERENCES account,
      created_at timestamptz NOT NULL DEFAULT now()
    )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE user_name');
    await runner.query('DELETE FROM account WHERE NOT mailbox');
    await runner.query('ALTER TABLE account DROP COLUMN mailbox');
  }
}
