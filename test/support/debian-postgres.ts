import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { Client } from 'pg';
import type { PostgresConnection } from '../../src/sandbox/embedded-postgres.js';
import { makePrivateDirectory, postgresAccount } from '../../src/sandbox/postgres-account.js';
import { onParentExit } from '../../src/sandbox/processes.js';
import { eventually } from './eventually.js';

const PORT = 5432; // only names the socket file
const USER = 'dm3_gateway';

/** The PostgreSQL that Debian ships, with its programs, on a unix socket in a folder of its own. */
export interface DebianPostgres {
  readonly connection: PostgresConnection;
  /** Runs one of its programs against it and returns what that printed. */
  run(program: string, ...args: string[]): Promise<string>;
  /** A new, empty database. */
  createDatabase(name: string): Promise<PostgresConnection>;
  stop(): Promise<void>;
}

/** @param postgres path of the server's program */
export async function startDebianPostgres(postgres: string): Promise<DebianPostgres> {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-debian-'));
  fs.chmodSync(home, 0o711); // as root, PostgreSQL's account passes through
  const account = postgresAccount(home);
  const [cluster, host] = ['cluster', 'socket'].map((name) => path.join(home, name)) as [string, string];
  for (const folder of [cluster, host]) makePrivateDirectory(folder, account);
  const programs = path.dirname(postgres);
  const env = { LC_ALL: 'C', TZ: 'UTC', PGHOST: host, PGPORT: String(PORT), PGUSER: USER, PGDATABASE: 'postgres' };
  const run = (program: string, ...args: string[]) => execute(path.join(programs, program), args, { env });
  const asServer = { ...account, cwd: '/', env };
  const initdb = ['-D', cluster, `--username=${USER}`, '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'];
  await execute(path.join(programs, 'initdb'), initdb, asServer);
  const server = spawn(postgres, ['-D', cluster, '-k', host, '-c', 'listen_addresses='], {
    ...asServer,
    stdio: ['ignore', 'ignore', fs.openSync(path.join(home, 'server.log'), 'w')],
  });
  const ended = once(server, 'exit');
  const forget = onParentExit(() => server.kill('SIGQUIT'));
  const connection = { host, port: PORT, user: USER, password: 'not asked for', database: 'postgres' };
  await eventually('Debian’s PostgreSQL', () => accepts(connection));
  return {
    connection,
    run,
    createDatabase: async (database) => {
      await run('createdb', '--template=template0', database);
      return { ...connection, database };
    },
    stop: async () => {
      server.kill('SIGINT');
      await ended;
      forget();
      fs.rmSync(home, { recursive: true, force: true });
    },
  };
}

async function execute(program: string, args: readonly string[], options: object): Promise<string> {
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const [[code], output, errors] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  if (code !== 0) throw new Error(`${path.basename(program)} ended with ${code}: ${errors}`);
  return output;
}

async function accepts(connection: PostgresConnection): Promise<boolean> {
  const client = new Client(connection);
  client.on('error', () => {});
  return client.connect().then(
    () => client.end().then(() => true),
    () => false,
  );
}
