import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { MatrixConfigInput } from '../../src/adapters/matrix/config.js';
import { formatRegistration, newRegistration, type Registration } from '../../src/adapters/matrix/registration.js';
import { Correspondent } from './correspondent.js';
import { eventually } from './eventually.js';
import { becomes, ghostOf, says } from './fake-matrix.js';
import { FakeHomeserver } from './fake-homeserver.js';
import { FaultLink } from './fault-link.js';
import { ask } from './http-answer.js';
import type { Secret } from './secrets.js';
import type { TestGateway } from './test-gateway.js';

const SERVER = 'hs.test';
const ALICE = `@juniper.tonic:${SERVER}`;
const CHAT = `!mulberrybush:${SERVER}`;
const LATER_CHAT = `!boysenberrypie:${SERVER}`;

/** Somebody on Matrix and bob.eth in a chat, and what waits since the homeserver is away. All that is private is noted down. */
export class MatrixTraffic {
  readonly secrets = new Map<string, Secret>();

  private constructor(
    private readonly homeserver: FakeHomeserver,
    private readonly link: FaultLink,
    private readonly registration: Registration,
    private readonly home: string,
  ) {
    this.#note('homeserver token', registration.hs_token);
    this.#note('application token', registration.as_token);
  }

  static async prepare(): Promise<MatrixTraffic> {
    const homeserver = await FakeHomeserver.start();
    const link = await FaultLink.open({ host: '127.0.0.1', port: Number(new URL(homeserver.url).port) });
    const home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-matrix-traffic-'));
    const registration = newRegistration({ serverName: SERVER, url: 'http://localhost' });
    writeFileSync(path.join(home, 'registration.yaml'), formatRegistration(registration));
    return new MatrixTraffic(homeserver, link, registration, home);
  }

  get config(): MatrixConfigInput {
    return {
      homeserverUrl: `http://127.0.0.1:${this.link.port}`,
      serverName: SERVER,
      registrationFile: path.join(this.home, 'registration.yaml'),
      retrySeconds: 0.2,
    };
  }

  /** A chat with something said on both sides; then the homeserver goes away, and both sides go on. */
  async begin(gateway: TestGateway): Promise<void> {
    const bob = new Correspondent(gateway, gateway.bob);
    this.homeserver.members = () => [ALICE];
    await this.#bring(gateway, becomes('invite', ghostOf('bob.eth'), this.#note('Matrix room', CHAT), ALICE));
    await this.#bring(gateway, says(ALICE, CHAT, this.#note('text from Matrix', 'Elderflower is in bloom at last')));
    await eventually('it to arrive', async () =>
      (await bob.inbox()).some(({ message }) => message.message?.includes('Elderflower')),
    );
    this.#note('Matrix user', ALICE);
    const to = this.#note('Matrix alias', `juniper.tonic._at.${SERVER}.matrix.gateway.eth`);
    await bob.send({ to, text: this.#note('text to Matrix', 'Gooseberries are not far behind') });
    await eventually('the answer', async () =>
      this.homeserver.said.some(({ content }) => String(content['body']).includes('Gooseberries')),
    );
    await this.link.refuse();
    await bob.send({ to, text: this.#note('waiting text to Matrix', 'Cranberry bogs are flooded') });
    this.#note('later Matrix room', LATER_CHAT);
    await this.#bring(gateway, becomes('invite', ghostOf('alice.eth'), LATER_CHAT, ALICE));
    await this.#bring(gateway, says(ALICE, LATER_CHAT, this.#note('waiting text', 'Huckleberry was here')));
  }

  async finish(gateway: TestGateway): Promise<void> {
    await this.link.mend();
    const waiting = "SELECT FROM matrix_inbox WHERE state = 'waiting'";
    await eventually('an empty inbox', async () => (await gateway.db.query(waiting)).length === 0);
  }

  async stop(): Promise<void> {
    await this.link.close();
    await this.homeserver.stop();
    rmSync(this.home, { recursive: true });
  }

  async #bring(gateway: TestGateway, event: object): Promise<void> {
    const id = `$${(event as { type: string }).type}.${this.secrets.size}.loganberry`;
    this.#note(`event ${id}`, id);
    const url = `${gateway.url}/_matrix/app/v1/transactions/${this.secrets.size}`;
    const body = { events: [{ event_id: id, ...event }] };
    const { status } = await ask(url, { method: 'PUT', body, token: this.registration.hs_token });
    if (status !== 200) throw new Error(`The transaction was not taken: ${status}`);
  }

  #note<Value extends Secret>(what: string, value: Value): Value {
    this.secrets.set(what, value);
    return value;
  }
}
