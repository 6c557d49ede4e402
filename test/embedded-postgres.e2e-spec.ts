import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { killHard, runElsewhere } from './support/other-process.js';
import { startPostgres, stopOrphanedPostgres, type PostgresConnection } from '../src/sandbox/embedded-postgres.js';
import { waitUntil } from '../src/sandbox/processes.js';

let home: string;
let dataDir: string;
const lines: string[] = [];
const log = (line: string) => lines.push(line);

// One cluster for all: making one takes most of a second. Every test leaves it stopped.
beforeAll(() => {
  home = fs.mkdtempSync('/tmp/dm3-gateway-postgres-');
  fs.chmodSync(home, 0o711); // as root, PostgreSQL's account passes through
  dataDir = path.join(home, 'postgres');
});

afterEach(() => stopOrphanedPostgres({ dataDir, log }));

afterAll(() => fs.rmSync(home, { recursive: true }));

const isRunning = () => fs.existsSync(path.join(dataDir, 'cluster', 'postmaster.pid'));

/** First column of the first row. */
async function ask(connection: PostgresConnection, sql: string): Promise<unknown> {
  const client = new Client(connection);
  await client.connect();
  const { rows } = await client.query({ text: sql, rowMode: 'array' });
  await client.end();
  return (rows as unknown[][])[0]?.[0];
}

const elsewhere = (rest = '') =>
  runElsewhere(`
    const { startPostgres } = await load('sandbox/embedded-postgres.js');
    const server = await startPostgres({ dataDir: ${JSON.stringify(dataDir)}, log: () => {} });
    ${rest}`);

describe('startPostgres', () => {
  it('is durable, without a TCP port, and closed to a wrong password', async () => {
    const server = await startPostgres({ dataDir, log });
    const { connection } = server;
    expect(server.takenOver).toBe(false);
    expect(await ask(connection, 'SHOW fsync')).toBe('on');
    expect(await ask(connection, 'SHOW data_checksums')).toBe('on');
    expect(await ask(connection, 'SHOW listen_addresses')).toBe('');
    await expect(ask({ ...connection, password: 'guess' }, 'SELECT 1')).rejects.toThrow(
      'password authentication failed',
    );
    expect(fs.statSync(path.join(dataDir, 'password')).mode & 0o777).toBe(0o600);
    await server.stop();
  });

  it('keeps data and password between starts', async () => {
    const first = await startPostgres({ dataDir, log });
    await ask(first.connection, `CREATE TABLE kept AS SELECT 'here' AS word`);
    await first.stop();
    expect(isRunning()).toBe(false);
    const second = await startPostgres({ dataDir, log });
    expect(second.connection).toEqual(first.connection);
    expect(await ask(second.connection, 'SELECT word FROM kept')).toBe('here');
    await second.stop();
  });

  it('takes over what a killed process left running, and stops it in the end', async () => {
    await killHard(await elsewhere());
    expect(isRunning()).toBe(true);
    const server = await startPostgres({ dataDir, log });
    expect(server.takenOver).toBe(true);
    expect(await ask(server.connection, 'SELECT 1')).toBe(1);
    await server.stop();
    expect(isRunning()).toBe(false);
  });

  it('starts again after the server was killed, with everything that was committed', async () => {
    const killed = await startPostgres({ dataDir, log });
    await ask(killed.connection, 'CREATE TABLE committed ()');
    process.kill(
      Number.parseInt(fs.readFileSync(path.join(dataDir, 'cluster', 'postmaster.pid'), 'utf8'), 10),
      'SIGKILL',
    );
    await killed.stop();
    const server = await startPostgres({ dataDir, log });
    expect(server.takenOver).toBe(false);
    expect(await ask(server.connection, 'SELECT count(*)::int FROM committed')).toBe(0);
    await server.stop();
  });

  it('ends with a process that ends without stopping it', async () => {
    const child = await elsewhere(`process.stdin.once('data', () => process.exit(0));`);
    child.stdin!.write('exit');
    expect(await waitUntil(() => !isRunning(), 10_000)).toBe(true);
  });

  it('begins anew after an initdb that was cut short', async () => {
    const unlucky = path.join(home, 'unlucky');
    fs.mkdirSync(path.join(unlucky, 'cluster.new'), { recursive: true });
    fs.writeFileSync(path.join(unlucky, 'cluster.new', 'PG_VERSION'), '18\n');
    const server = await startPostgres({ dataDir: unlucky, log });
    expect(await ask(server.connection, 'SELECT 1')).toBe(1);
    await server.stop();
  });

  it('says why the server does not start', async () => {
    await startPostgres({ dataDir, log }).then((server) => server.stop());
    const settings = path.join(dataDir, 'cluster', 'postgresql.conf');
    const { size } = fs.statSync(settings);
    fs.appendFileSync(settings, 'no_such_setting = on\n');
    await expect(startPostgres({ dataDir, log })).rejects.toThrow(/did not start: .*no_such_setting/);
    fs.truncateSync(settings, size);
  });
});
