import { RealClient } from '../../support/dm3-lib.js';
import { eventually } from '../../support/eventually.js';
import { ask } from '../../support/http-answer.js';
import type { MatrixUser } from '../../support/matrix-user.js';
import { aliasOf, BOB } from '../../support/matrix-world.js';
import type { SynapseWorld } from '../../support/synapse.js';

const PATIENCE = { patienceMs: 120_000, pauseMs: 100 };

interface Company {
  readonly synapse: SynapseWorld;
  readonly bob: RealClient;
  /** Where the service takes what bob writes, now. */
  readonly door: () => string;
}

/** What each of the two has in front of him that he did not write himself, oldest first. */
interface Heard {
  readonly alice: readonly string[];
  readonly bob: readonly string[];
}

/** Somebody on Matrix and bob in dm3 write to one another in a chat, and insist until what they write is accepted. */
export class MatrixTalk {
  readonly #fromAlice: string[] = [];
  readonly #fromBob: string[] = [];

  private constructor(
    private readonly company: Company,
    private readonly alice: MatrixUser,
    private readonly room: string,
  ) {}

  /** The first word each way has arrived. @param name of somebody who is not there yet */
  static async begin(company: Company, name: string): Promise<MatrixTalk> {
    const alice = await company.synapse.user(name);
    const talk = new MatrixTalk(company, alice, await alice.chatWith(BOB));
    await talk.exchange(1);
    await talk.untilHeard();
    return talk;
  }

  /** So many texts each, at the same time. Resolves when all are accepted. */
  async exchange(count: number): Promise<void> {
    await Promise.all([this.#say(count), this.#write(count)]);
  }

  /** What was accepted so far, and everybody is to have once. */
  get said(): Heard {
    return { alice: this.#fromBob, bob: this.#fromAlice };
  }

  get letters(): number {
    return this.#fromAlice.length + this.#fromBob.length;
  }

  /** Also notices, and whatever else anybody said to them. */
  async heard(): Promise<Heard> {
    const inRoom = (await this.alice.messages(this.room)).filter(({ sender }) => sender !== this.alice.id);
    const envelopes = await this.company.bob.incoming();
    const fromAlice = envelopes.filter(({ message }) => message.metadata.from === aliasOf(this.alice));
    return {
      alice: inRoom.map(({ sender, content }) => (sender === BOB ? content.body! : `${sender}: ${content.body}`)),
      bob: fromAlice.map(({ message }) => message.message!),
    };
  }

  async untilHeard(): Promise<void> {
    const heard = async () => {
      const { alice, bob } = await this.heard();
      return alice.length >= this.#fromBob.length && bob.length >= this.#fromAlice.length;
    };
    await eventually('both to have heard all of it', heard, PATIENCE).catch(async (error: Error) => {
      throw new Error(`${error.message} ${JSON.stringify(await this.heard())}`, { cause: error });
    });
  }

  /** How many other rooms somebody wants alice in: a second one would be a chat that was made twice. */
  async invitations(): Promise<number> {
    return (await this.alice.invitations()).length;
  }

  async #say(count: number): Promise<void> {
    for (let left = count; left > 0; left -= 1) {
      const text = `alice ${this.#fromAlice.length}`;
      await this.alice.say(this.room, text);
      this.#fromAlice.push(text);
    }
  }

  async #write(count: number): Promise<void> {
    const { bob, door } = this.company;
    for (let left = count; left > 0; left -= 1) {
      const text = `bob ${this.#fromBob.length}`;
      const envelope = await bob.seal(await bob.compose({ to: aliasOf(this.alice), text }));
      const body = { jsonrpc: '2.0', method: 'dm3_submitMessage', params: [JSON.stringify(envelope)] };
      const isTaken = () =>
        ask(`${door()}/ds/rpc`, { body }).then(
          ({ status }) => status === 200,
          () => false,
        );
      await eventually(`"${text}" to be taken`, isTaken, PATIENCE);
      this.#fromBob.push(text);
    }
  }
}
