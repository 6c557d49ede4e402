import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { EnsName } from '../../../src/common/ids.js';
import { ccipUrl } from '../../../src/naming/ccip-read/resolver-check.js';
import { ccipSigners } from '../../../src/naming/ccip-read/signer-keys.js';
import type { CryptoProvider } from '../../../src/protocol/crypto/provider.js';
import { createSodiumProvider } from '../../../src/protocol/crypto/sodium.js';
import { toHex } from '../../../src/protocol/encoding/hex.js';
import type { PostgresConnection } from '../../../src/sandbox/embedded-postgres.js';
import { createPerson, type Person } from '../../../src/sandbox/people.js';
import { freePort, LOOPBACK } from '../../../src/sandbox/ports.js';
import type { SandboxFile } from '../../../src/sandbox/sandbox.js';
import { buildWorld, type World } from '../../../src/sandbox/world.js';
import { Database } from '../../../src/storage/database.js';
import { createTestSchema } from '../../support/database.js';
import { startForeignService, type ForeignService } from '../../support/foreign-service.js';
import { fundedDeployer, ROOT, SERVICE } from '../../support/test-gateway.js';
import { AccountSide, ElsewhereSide } from './dm3-side.js';
import { FarSide } from './far-side.js';
import { MailSide } from './mail-side.js';
import { firstFails } from './patience.js';
import { chainPeer, fakePeer, mailPeer, postgresPeer, servicePeer, type Peer, type PeerName } from './peers.js';
import { settingsOf } from './settings.js';

/** What a world is made of, but for the service itself. */
export interface Furniture {
  readonly home: string;
  readonly db: Database;
  readonly peers: Readonly<Record<Exclude<PeerName, 'broker'>, Peer>>;
  readonly configFile: string;
  readonly env: Readonly<Record<string, string>>;
  readonly url: string;
  readonly adminUrl: string;
  readonly fakeDoor: number;
  readonly mail: MailSide;
  readonly fake: FarSide;
  readonly accounts: Readonly<Record<string, AccountSide>>;
  readonly elsewhere: ElsewhereSide;
  readonly stops: readonly (() => unknown)[];
}

/** @param postgres the run's if it is not another one */
export async function furnish({ postgres }: { postgres?: PostgresConnection }): Promise<Furniture> {
  const home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-faults-'));
  const schema = await createTestSchema('faults', postgres);
  const db = new Database(schema.options);
  await db.open();
  const crypto = await createSodiumProvider();
  const ports = { http: await freePort(), admin: await freePort(), smtp: await freePort(), fakeDoor: await freePort() };
  const secrets = { rootSecret: randomBytes(32), storageKey: randomBytes(32) };
  const url = `http://${LOOPBACK}:${ports.http}`;
  const people = newPeople(crypto);
  const {
    world,
    dora,
    rex,
    servicePeer: service,
    deployer,
  } = await settleWorld(crypto, people, secrets.rootSecret, url);
  const [mail, fake, chain] = [
    await MailSide.start(ports.smtp),
    await FarSide.start(ports.fakeDoor),
    await chainPeer(),
  ];
  const peers = {
    postgres: await postgresPeer(schema.options),
    chain,
    mail: await mailPeer(mail),
    service,
    fake: await fakePeer(fake),
  };
  const configFile = path.join(home, 'gateway.yaml');
  writeFileSync(configFile, JSON.stringify(settingsOf({ database: schema.options, peers, ports, world }))); // YAML, too
  const directory = directoryOf(world, url, [people.alice, people.bob]);
  const accounts = {
    alice: new AccountSide(crypto, directory, people.alice),
    bob: new AccountSide(crypto, directory, people.bob),
  };
  const stops = [
    ...Object.values(accounts).map((account) => () => account.close()),
    ...Object.values(peers).map(
      ({ link }) =>
        () =>
          link.close(),
    ),
    ...[mail, fake, dora, rex, chain.node].map((peer) => () => peer.stop()),
    () => deployer.close(),
    () => db.close(),
    () => schema.drop(),
    () => rmSync(home, { recursive: true, force: true }),
  ];
  const env = {
    DM3_GATEWAY_ROOT_SECRET: secrets.rootSecret.toString('hex'),
    DM3_GATEWAY_STORAGE_KEYS: `1:${secrets.storageKey.toString('hex')}`,
    NODE_COMPILE_CACHE: path.join(home, 'compile-cache'),
  };
  const elsewhere = new ElsewhereSide(crypto, people.dora, dora);
  const { fakeDoor } = ports;
  const adminUrl = `http://${LOOPBACK}:${ports.admin}/admin/v1`;
  return { home, db, peers, configFile, env, url, adminUrl, fakeDoor, mail, fake, accounts, elsewhere, stops };
}

type People = Readonly<Record<'alice' | 'bob' | 'dora' | 'rex', Person>>;

function newPeople(crypto: CryptoProvider): People {
  const person = (name: string, deliveryService: string) =>
    createPerson(crypto, {
      name: name as EnsName,
      wallet: toHex(randomBytes(32)),
      deliveryService: deliveryService as EnsName,
    });
  return {
    alice: person('alice.eth', SERVICE),
    bob: person('bob.eth', SERVICE),
    dora: person('dora.eth', 'ds.dora.eth'),
    rex: person('rex.eth', 'ds.rex.eth'),
  };
}

async function settleWorld(crypto: CryptoProvider, people: People, rootSecret: Uint8Array, url: string) {
  const deployer = await fundedDeployer();
  const world = await buildWorld(deployer, {
    chain: { rpcUrl: process.env['TEST_RPC_URL']!, chainId: Number(process.env['TEST_CHAIN_ID']) },
    rootName: ROOT,
    people: Object.values(people),
    ccipUrl: ccipUrl(url),
    ccipSigner: ccipSigners(crypto, rootSecret, 1).current,
    topLevelAliases: {},
  });
  const home = { crypto, deployer, world };
  const rex = await startForeignService(home, { name: 'ds.rex.eth' });
  rex.mood = 'refuses';
  return { world, deployer, rex, ...(await settleService(home)) };
}

/** Dora's delivery service, which the world finds behind a link. */
async function settleService(home: Parameters<typeof startForeignService>[0]) {
  const [isFirstToFail, state] = [firstFails(), { isTroubled: false }];
  let peer!: Peer;
  const behindLink = async (port: number) => {
    peer = await servicePeer(port, (isTroubled) => void (state.isTroubled = isTroubled));
    return `http://${LOOPBACK}:${peer.link.port}`;
  };
  const dora: ForeignService = await startForeignService(home, { name: 'ds.dora.eth', url: behindLink });
  dora.onAttempt = () => {
    const fails = state.isTroubled || isFirstToFail(dora.attempts.at(-1)!.message);
    dora.mood = fails ? 'fails' : 'takes';
  };
  return { dora, servicePeer: peer };
}

/** What dm3 clients need to know of the world. */
function directoryOf({ registry, aliasRegistry }: World, url: string, people: readonly Person[]): SandboxFile {
  return {
    ready: true,
    rpcUrl: process.env['TEST_RPC_URL']!,
    chainId: Number(process.env['TEST_CHAIN_ID']),
    ensRegistry: registry,
    rootName: ROOT,
    topLevelAliases: {},
    aliasRegistry,
    deliveryService: { name: SERVICE, url: `${url}/ds` },
    http: { url },
    smtp: { host: LOOPBACK, port: 0, domain: '' },
    capturedMail: { url: '' },
    admin: { url: '', token: '' },
    users: people.map(({ name, address, walletPrivateKey }) => ({ name, address, walletPrivateKey })),
    pid: process.pid,
  };
}
