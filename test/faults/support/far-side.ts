import { text } from 'node:stream/consumers';
import { FakeNetwork, type FakeParcel } from '../../contract/fake-network.js';
import { startHttpServer, type TestServer } from '../../support/http-server.js';
import { ask } from '../../support/http-answer.js';
import type { Arrival, ForeignSide, Letter } from './letters.js';
import { firstFails } from './patience.js';

/** The people of the fake network; the service's processes reach them, and are reached by them, over HTTP. */
export class FarSide implements ForeignSide {
  readonly where = 'the fake network';
  readonly neverRepeats = false;
  readonly network = 'fake';
  readonly peer = 'fake';
  /** Answers nobody but with 503. */
  isTroubled = false;
  readonly #parcels: { readonly parcel: FakeParcel; readonly body: string }[] = [];
  readonly #isFirstToFail = firstFails();

  private constructor(
    private readonly server: TestServer,
    /** Where the service takes letters. */
    private readonly doorPort: number,
  ) {}

  static async start(doorPort: number): Promise<FarSide> {
    const server = await startHttpServer();
    const side = new FarSide(server, doorPort);
    server.handler = async (request, response) => response.writeHead(side.#take(await text(request))).end();
    return side;
  }

  get port(): number {
    return this.server.port;
  }

  /** Parcels that it took so far, repeats included. */
  get count(): number {
    return this.#parcels.length;
  }

  aliasOf(person: string): string {
    return `${new FakeNetwork().codec.encode(new FakeNetwork().address(person)).join('.')}.fake.gateway.eth`;
  }

  write(from: string, to: string, words: string): Pick<Letter, 'id' | 'handIn'> {
    const body = { id: words, from, to: `${to}.eth`, text: words };
    const handIn = async () => {
      const { status, text: said } = await ask(`http://127.0.0.1:${this.doorPort}`, { body });
      if (status !== 200) throw new Error(`The letter was not taken: ${status} ${said}`);
    };
    return { id: words, handIn };
  }

  async all(): Promise<readonly Arrival[]> {
    return this.#parcels.map(({ parcel, body }) => ({
      key: parcel.id,
      body,
      text: parcel.text,
      noticeAbout: parcel.kind === 'notice' ? parcel.target : null,
    }));
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  /** @returns an HTTP status */
  #take(body: string): number {
    const parcel = JSON.parse(body) as FakeParcel;
    if (parcel.to === 'fake:nobody') return 410;
    if (this.isTroubled || this.#isFirstToFail(body)) return 503;
    this.#parcels.push({ parcel, body });
    return 200;
  }
}
