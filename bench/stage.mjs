import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { OwnService } from '../dist/delivery/own-service.js';
import { ccipSigners } from '../dist/naming/ccip-read/signer-keys.js';
import { connectDeployer } from '../dist/naming/contracts/deploy.js';
import { createSodiumProvider } from '../dist/protocol/crypto/sodium.js';
import { toHex } from '../dist/protocol/encoding/hex.js';
import { startPostgres } from '../dist/sandbox/embedded-postgres.js';
import { startChain } from '../dist/sandbox/local-chain.js';
import { createPerson, DEPLOYER_KEY } from '../dist/sandbox/people.js';
import { freePort, LOOPBACK } from '../dist/sandbox/ports.js';
import { removeData } from '../dist/sandbox/postgres-place.js';
import { buildWorld } from '../dist/sandbox/world.js';
import { startProcess } from './processes.mjs';

const ROOT = 'bench.eth';
const SERVICE = `ds.${ROOT}`;
const CHAIN_ID = 31337;
const PEOPLE = 8;

export const MAIL_DOMAIN = 'bench.test';

/**
 * PostgreSQL, a chain with ENS, eight senders and eight receivers with signed profiles, and the gateway as a process
 * of its own where the receivers have mailboxes.
 */
export async function openStage(say) {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-bench-'));
  fs.chmodSync(home, 0o711); // as root, PostgreSQL's account passes through
  const stops = [() => discard(home)];
  const close = once(() => stopAll(stops));
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ]) {
    process.once(signal, () => void close().finally(() => process.exit(code)));
  }
  const keep = async (starting) => {
    const started = await starting;
    stops.push(() => started.stop());
    return started;
  };
  const start = (file, input) => keep(startProcess(file, input, path.join(home, `${path.parse(file).name}.log`)));
  try {
    return { ...(await furnish({ home, keep, start, say })), home, start, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function furnish({ home, keep, start, say }) {
  say('Starting PostgreSQL, a chain and the gateway...');
  const postgres = await keep(startPostgres({ dataDir: path.join(home, 'postgres'), log: say }));
  const chain = await keep(
    startChain({ stateFile: path.join(home, 'chain.json'), port: await freePort(), chainId: CHAIN_ID, log: say }),
  );
  const crypto = await createSodiumProvider();
  const secrets = { rootSecret: randomBytes(32), storageKeys: [{ id: 1, key: randomBytes(32) }] };
  const [senders, receivers] = ['sender', 'receiver'].map((role) => newPeople(crypto, role));
  const world = await buildEns({ chain, crypto, secrets, people: [...senders, ...receivers] });
  const ports = { http: await freePort(), smtp: await freePort(), admin: await freePort() };
  const settings = settingsOf({ postgres, chain, world, ports });
  const email = { domains: [MAIL_DOMAIN], listen: { host: LOOPBACK, port: ports.smtp } };
  const profiles = receivers.map(({ name, profile }) => ({ name, profile }));
  const setting = { settings, email, secrets, profiles };
  const gateway = await start('gateway-process.mjs', setting);
  const { publicUrl } = settings.http;
  const serviceKeys = new OwnService(crypto, { rootSecret: secrets.rootSecret, name: SERVICE, publicUrl }).keys;
  return {
    postgres: postgres.connection,
    gateway: { ...gateway, ports },
    setting,
    crypto,
    serviceKeys,
    senders,
    receivers,
  };
}

function newPeople(crypto, role) {
  return Array.from({ length: PEOPLE }, (_, index) =>
    createPerson(crypto, { name: `${role}${index}.eth`, wallet: toHex(randomBytes(32)), deliveryService: SERVICE }),
  );
}

async function buildEns({ chain, crypto, secrets, people }) {
  const deployer = connectDeployer({ ...chain, privateKey: DEPLOYER_KEY });
  const ccipSigner = ccipSigners(crypto, secrets.rootSecret, 1).current;
  const ccipUrl = `http://${LOOPBACK}/{sender}/{data}.json`;
  const options = { chain, rootName: ROOT, people, ccipUrl, ccipSigner, topLevelAliases: { email: `email.${ROOT}` } };
  try {
    return await buildWorld(deployer, options);
  } finally {
    deployer.close();
  }
}

/** What a second gateway starts with: the same world and keys, another schema and ports. */
export async function elsewhere({ settings, email, ...rest }, schema) {
  const ports = { http: await freePort(), smtp: await freePort(), admin: await freePort() };
  const input = {
    ...rest,
    settings: {
      ...settings,
      database: { ...settings.database, schema },
      http: { ...settings.http, port: ports.http },
      admin: { port: ports.admin },
    },
    email: { ...email, listen: { ...email.listen, port: ports.smtp } },
  };
  return { input, ports };
}

/** Defaults wherever there is one: what is measured is what an operator gets. */
function settingsOf({ postgres, chain, world, ports }) {
  return {
    database: postgres.connection,
    http: { port: ports.http, publicUrl: `http://${LOOPBACK}:${ports.http}` },
    admin: { port: ports.admin },
    ens: { rpcUrls: [chain.rpcUrl], chainId: chain.chainId, registry: world.registry },
    names: { root: ROOT, aliasRegistry: world.aliasRegistry },
    ccipRead: { resolvers: [world.offchainResolver] },
    deliveryService: { name: SERVICE, signUp: { policy: 'open' } },
  };
}

async function stopAll(stops) {
  for (const stop of stops.reverse()) await stop();
}

function discard(home) {
  removeData(path.join(home, 'postgres'));
  fs.rmSync(home, { recursive: true, force: true });
}

function once(work) {
  let done;
  return () => (done ??= work());
}
