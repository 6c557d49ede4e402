import path from 'node:path';
import type { PostgresConnection } from '../../../src/sandbox/embedded-postgres.js';
import { freePort, LOOPBACK } from '../../../src/sandbox/ports.js';
import type { Database } from '../../../src/storage/database.js';
import { eventually } from '../../support/eventually.js';
import { ROOT as PROJECT } from '../../support/program.js';
import { furnish, type Furniture } from './furniture.js';
import { violations } from './invariants.js';
import { queueState, settledMails, waiting } from './leftovers.js';
import { usualFate, type Arrivals, type Fate, type Letter } from './letters.js';
import { ZONE, type MailSide } from './mail-side.js';
import type { Peer } from './peers.js';
import { here, ServiceProcess } from './service-process.js';
import { DIRECTIONS, Traffic } from './traffic.js';

type Environment = Readonly<Record<string, string>>;

const PATIENCE_MS = 90_000;

/**
 * The service as a process of its own, all its peers behind links that can be disturbed, and people on both sides who
 * insist until what they write is accepted. With `fake` it serves the fake network beside mail; else it is
 * `dm3-gateway start` as it is shipped.
 */
export class FaultWorld {
  readonly traffic: Readonly<Record<'email' | 'fake', Traffic>>;
  /** Mails that may have come twice, since something was killed or cut while they were under way. */
  mailsInFlight = 0;
  /** Of letters, by their ids, with which somebody interferes. */
  readonly fates = new Map<string, Fate>();
  #service: ServiceProcess | null = null;
  readonly #others: ServiceProcess[] = [];

  private constructor(
    private readonly parts: Furniture,
    private readonly withFake: boolean,
  ) {
    const { mail, fake, accounts } = parts;
    this.traffic = { email: new Traffic(mail, accounts), fake: new Traffic(fake, accounts) };
  }

  /** With alice and bob signed up and the service running. */
  static async open(options: {
    fake: boolean;
    postgres?: PostgresConnection;
    /** Settings over those of the file, for the first start. */
    env?: Environment;
  }): Promise<FaultWorld> {
    const world = new FaultWorld(await furnish(options), options.fake);
    try {
      await world.start(options.env);
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

  get mail(): MailSide {
    return this.parts.mail;
  }

  /** What an operator needs. */
  get desk(): Pick<Furniture, 'configFile' | 'env' | 'home' | 'adminUrl'> {
    return this.parts;
  }

  get peers(): readonly Peer[] {
    return Object.values(this.parts.peers);
  }

  /** The process at whose doors everything is handed in. */
  get service(): ServiceProcess {
    return this.#service!;
  }

  get accepted(): Letter[] {
    return Object.values(this.traffic).flatMap(({ accepted }) => accepted);
  }

  /** @param env settings over those of the file */
  async start(env: Environment = {}): Promise<ServiceProcess> {
    const { url, fakeDoor } = this.parts;
    this.#service = await this.#launch({ url, fakeDoor, env });
    return this.#service;
  }

  /**
   * One more process over the same database, on ports of its own.
   * @param options.withFakeDoor people of the fake network hand in there; nobody hands in anything by default
   */
  async startAnother(env: Environment = {}, { withFakeDoor = false } = {}): Promise<ServiceProcess> {
    const [http, admin, smtp] = [await freePort(), await freePort(), await freePort()];
    const fakeDoor = withFakeDoor ? this.parts.fakeDoor : await freePort();
    const ports = {
      DM3_GATEWAY_HTTP__PORT: String(http),
      DM3_GATEWAY_ADMIN__PORT: String(admin),
      DM3_GATEWAY_EMAIL__LISTEN__PORT: String(smtp),
    };
    const url = `http://${LOOPBACK}:${http}`;
    const another = await this.#launch({ url, fakeDoor, env: { ...ports, ...env } });
    this.#others.push(another);
    return another;
  }

  async #launch(place: { url: string; fakeDoor: number; env: Environment }): Promise<ServiceProcess> {
    const { configFile, env, home, peers } = this.parts;
    const shipped = [`${PROJECT}dist/cli/main.js`, 'start', '--config', configFile];
    const own = ['--import', here('../../support/as-built.mjs'), here('start-with-networks.ts')];
    const withFake = [...own, configFile, `http://${LOOPBACK}:${peers.fake.link.port}`, String(place.fakeDoor)];
    return ServiceProcess.start({
      program: this.withFake ? withFake : shipped,
      env: { ...env, ...place.env },
      zone: ZONE,
      url: place.url,
      hitFile: path.join(home, `hit-${new URL(place.url).port}`),
    });
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

  /** Letters of every pair of the networks that are served, ready to be handed in. */
  async write(perPair: number, directions = DIRECTIONS): Promise<Letter[]> {
    const served = this.withFake ? Object.values(this.traffic) : [this.traffic.email];
    return (await Promise.all(served.map((each) => each.write(directions, perPair)))).flat();
  }

  /** Resolves when all are accepted. */
  async handIn(letters: readonly Letter[]): Promise<void> {
    const ofNetwork = (network: string) => letters.filter(({ pair }) => pair.startsWith(network));
    const { email, fake } = this.traffic;
    await Promise.all([email.handIn(ofNetwork('email')), fake.handIn(ofNetwork('fake'))]);
  }

  /** How many parcels the fake network took so far, repeats included. */
  get parcels(): number {
    return this.parts.fake.count;
  }

  /** How often something was not taken so far. */
  get refusals(): number {
    return Object.values(this.traffic).reduce((sum, { refusals }) => sum + refusals, 0);
  }

  /** Until nothing waits any more. */
  async settled(): Promise<void> {
    const { db } = this.parts;
    const isEmpty = () => waiting(db).then((count) => count === 0, isAway);
    await eventually('an empty queue', isEmpty, { patienceMs: PATIENCE_MS }).catch(async (error) => {
      throw new Error(`${(error as Error).message}\n${await queueState(db)}\n${this.service.output}`);
    });
  }

  /** Texts of all letters that arrived so far. */
  async arrived(): Promise<Set<string>> {
    const places = await Promise.all(this.#places().map((place) => place.all()));
    return new Set(places.flat().map(({ text }) => text));
  }

  /** Ids of the letters of which somebody was told so far. */
  async told(): Promise<Set<string | null>> {
    const places = await Promise.all(this.#places().map((place) => place.all()));
    return new Set(places.flat().map(({ noticeAbout }) => noticeAbout));
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
    const fateOf = (letter: Letter) => this.fates.get(letter.id) ?? usualFate(letter);
    return violations({ db, places: this.#places(), letters, fateOf, mailsInFlight });
  }

  #places(): Arrivals[] {
    const { mail, fake, accounts, elsewhere } = this.parts;
    return [mail, fake, elsewhere, ...Object.values(accounts)];
  }

  async close(): Promise<void> {
    for (const traffic of Object.values(this.traffic)) traffic.end();
    for (const service of [this.#service, ...this.#others]) await service?.kill();
    const failures: unknown[] = [];
    for (const stop of this.parts.stops) await attempt(stop, failures);
    if (failures.length > 0) throw failures[0];
  }
}

/** The database may be what is broken just now. */
const isAway = () => false;

async function attempt(stop: () => unknown, failures: unknown[]): Promise<void> {
  try {
    await stop();
  } catch (error) {
    failures.push(error);
  }
}
