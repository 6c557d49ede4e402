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
import { createTestSchema, type TestSchema } from '../../support/database.js';
import { eventually } from '../../support/eventually.js';
import { startForeignService, type ForeignService } from '../../support/foreign-service.js';
import { ROOT as PROJECT } from '../../support/program.js';
import { fundedDeployer, ROOT, SERVICE } from '../../support/test-gateway.js';
import { AccountSide, ElsewhereSide } from './dm3-side.js';
import { FarSide } from './far-side.js';
import { violations } from './invariants.js';
import { queueState, settledMails, waiting } from './leftovers.js';
import type { Arrivals, Letter } from './letters.js';
import { MailSide, ZONE } from './mail-side.js';
import { firstFails } from './patience.js';
import { chainPeer, fakePeer, mailPeer, postgresPeer, servicePeer, type Peer, type PeerName } from './peers.js';
import { here, ServiceProcess } from './service-process.js';
import { settingsOf } from './settings.js';
import { Traffic } from './traffic.js';

const PATIENCE_MS = 90_000;

interface Parts {
  readonly home: string;
  readonly schema: TestSchema;
  readonly db: Database;
  readonly peers: Readonly<Record<PeerName, Peer>>;
  readonly configFile: string;
  readonly env: Readonly<Record<string, string>>;
  readonly url: string;
  readonly fakeDoor: number;
  readonly mail: MailSide;
  readonly fake: FarSide;
  readonly accounts: Readonly<Record<string, AccountSide>>;
  readonly elsewhere: ElsewhereSide;
  readonly stops: readonly (() => unknown)[];
}

/**
 * The service as a process of its own, all its peers behind links that can be disturbed, and people on both sides who
 * insist until what they write is accepted. With `fake` it serves the fake network beside mail; else it is
 * `dm3-gateway start` as it is shipped.
 */
export class FaultWorld {
  readonly traffic: Readonly<Record<'email' | 'fake', Traffic>>;
  /** Mails that may have come twice, since something was killed or cut while they were under way. */
  mailsInFlight = 0;
  #service: ServiceProcess | null = null;

  private constructor(
    private readonly parts: Parts,
    private readonly withFake: boolean,
  ) {
    const { mail, fake, accounts } = parts;
    this.traffic = { email: new Traffic(mail, accounts), fake: new Traffic(fake, accounts) };
  }

  /** With alice and bob signed up and the service running. */
  static async open(options: { fake: boolean; postgres?: PostgresConnection }): Promise<FaultWorld> {
    const world = new FaultWorld(await furnish(options), options.fake);
    try {
      await world.start();
      for (const account of Object.values(world.parts.accounts)) await account.signUp();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  get db(): Database {
    return this.parts.db;
  }

  get peers(): readonly Peer[] {
    return Object.values(this.parts.peers);
  }

  /** The process that was started last. */
  get service(): ServiceProcess {
    return this.#service!;
  }

  get accepted(): Letter[] {
    return Object.values(this.traffic).flatMap(({ accepted }) => accepted);
  }

  async start(): Promise<ServiceProcess> {
    const { configFile, env, url, home, fakeDoor } = this.parts;
    const { link } = this.parts.peers.fake;
    const shipped = [`${PROJECT}dist/cli/main.js`, 'start', '--config', configFile];
    const own = ['--import', here('typescript.mjs'), here('start-with-networks.ts')];
    const withFake = [...own, configFile, `http://${LOOPBACK}:${link.port}`, String(fakeDoor)];
    const program = this.withFake ? withFake : shipped;
    this.#service = await ServiceProcess.start({ program, env, zone: ZONE, url, hitFile: path.join(home, 'hit') });
    return this.#service;
  }

  /** What a scenario left dead does not spoil the next one. */
  async revive(): Promise<void> {
    if (!this.service.isAlive) await this.start();
  }

  /** After a death, before anything starts again: what the mail server took and we did not write down may come twice. */
  async countMailsInFlight(): Promise<void> {
    const { server } = this.parts.mail;
    await eventually('the mail server to be left alone', async () => server.connections === 0);
    const { taken, settled } = await this.mails();
    this.mailsInFlight += taken - settled;
  }

  /** Until nothing waits any more. */
  async settled(): Promise<void> {
    const { db } = this.parts;
    await eventually('an empty queue', async () => (await waiting(db)) === 0, PATIENCE_MS).catch(async (error) => {
      throw new Error(`${(error as Error).message}\n${await queueState(db)}\n${this.service.output}`);
    });
  }

  /** Texts of all letters that arrived so far. */
  async arrived(): Promise<Set<string>> {
    const places = await Promise.all(this.#places().map((place) => place.all()));
    return new Set(places.flat().map(({ text }) => text));
  }

  /** How many mails the mail server took, and of how many we know that we wrote it down. */
  async mails(): Promise<{ taken: number; settled: number }> {
    const { mail, db } = this.parts;
    return { taken: new Set((await mail.all()).map(({ key }) => key)).size, settled: await settledMails(db) };
  }

  /** What is wrong with all that happened so far. Call it when all is settled. */
  async violations(): Promise<string[]> {
    const { db } = this.parts;
    const { accepted: letters, mailsInFlight } = this;
    return violations({ db, places: this.#places(), letters, mailsInFlight });
  }

  #places(): Arrivals[] {
    const { mail, fake, accounts, elsewhere } = this.parts;
    return [mail, fake, elsewhere, ...Object.values(accounts)];
  }

  async close(): Promise<void> {
    for (const traffic of Object.values(this.traffic)) traffic.end();
    await this.#service?.kill();
    for (const stop of this.parts.stops) await stop();
  }
}

async function furnish({ postgres }: { postgres?: PostgresConnection }): Promise<Parts> {
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
  return { home, schema, db, peers, configFile, env, url, fakeDoor, mail, fake, accounts, elsewhere, stops };
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
