// One PostgreSQL and one chain for the whole run; suites find them in the environment (support/database.ts for the first).
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { buildIfStale } from '../../scripts/build.mjs';

const PREFIX = 'dm3-gateway-test-';
const CHAIN_ID = 31337;

export default async function globalSetup() {
  await buildIfStale();
  const peers = await loadPeers();
  await removeLeftovers(peers);
  const home = fs.mkdtempSync(path.join(os.tmpdir(), `${PREFIX}${process.pid}-`));
  fs.chmodSync(home, 0o711); // as root, PostgreSQL's account passes through
  globalThis.stopTestPeers = once(() => discard(peers, home));
  stopOnSignals();
  try {
    const [database, chain] = await Promise.all([
      peers.startPostgres({ dataDir: postgresIn(home), log: say }),
      peers
        .freePort()
        .then((port) => peers.startChain({ stateFile: chainIn(home), port, chainId: CHAIN_ID, log: say })),
    ]);
    if (process.env.TEST_PG_FSYNC === 'off') await hurry(database.connection);
    publish(database.connection, chain);
  } catch (error) {
    await globalThis.stopTestPeers();
    throw error;
  }
}

const postgresIn = (home) => path.join(home, 'postgres');
const chainIn = (home) => path.join(home, 'chain.json');
const say = (line) => process.stderr.write(`${line}\n`);

/** Imported late: the build may have just made them. */
async function loadPeers() {
  const files = ['embedded-postgres', 'postgres-place', 'local-chain', 'ports'];
  const modules = await Promise.all(files.map((file) => import(`../../dist/sandbox/${file}.js`)));
  return Object.assign({}, ...modules);
}

/**
 * Files are not forced to the disk, which only a machine that stops would tell: what is committed outlives the server
 * all the same. Not for end-to-end tests, in which programs look at how the server is set up.
 */
async function hurry(connection) {
  const client = new Client(connection);
  await client.connect();
  for (const setting of ['fsync', 'full_page_writes']) await client.query(`ALTER SYSTEM SET ${setting} = off`);
  await client.query('SELECT pg_reload_conf()');
  await client.end();
}

/** What runs left that were killed: the name says whose it was. */
async function removeLeftovers(peers) {
  for (const name of fs.readdirSync(os.tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const owner = Number.parseInt(name.slice(PREFIX.length), 10);
    const home = path.join(os.tmpdir(), name);
    if (!fs.existsSync(`/proc/${owner}`) && isOurs(home)) await discard(peers, home);
  }
}

function isOurs(home) {
  return fs.statSync(home, { throwIfNoEntry: false })?.uid === process.getuid();
}

async function discard({ stopOrphanedPostgres, stopOrphanedChain, removeData }, home) {
  await stopOrphanedPostgres({ dataDir: postgresIn(home), log: say });
  await stopOrphanedChain({ stateFile: chainIn(home) });
  removeData(postgresIn(home));
  fs.rmSync(home, { recursive: true, force: true });
}

function once(work) {
  let done;
  return () => (done ??= work());
}

function stopOnSignals() {
  for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) {
    process.once(signal, () => void globalThis.stopTestPeers().finally(() => process.exit(code)));
  }
}

function publish(connection, { rpcUrl, chainId }) {
  for (const [name, value] of Object.entries(connection)) process.env[`TEST_PG_${name.toUpperCase()}`] = String(value);
  process.env.TEST_RPC_URL = rpcUrl;
  process.env.TEST_CHAIN_ID = String(chainId);
}
