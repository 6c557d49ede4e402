import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { SMTPServer, type SMTPServerEnvelope } from 'smtp-server';
import { freePort, LOOPBACK } from '../../src/sandbox/ports.js';

export interface TakenMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: string;
}

/** The mail servers of the world, under a test's control. It starts unreachable. */
export class MailServer {
  readonly mails: TakenMail[] = [];
  /** Whatever was handed over whole, taken or not. */
  readonly attempts: TakenMail[] = [];
  /** What it makes of a whole mail: `defers` says 451, `holds` answers when told to. `shuts`: whoever connects is told 554. */
  mood: 'takes' | 'defers' | 'holds' | 'shuts' = 'takes';
  /** Says whether a recipient exists; others are refused for good. */
  knows: (recipient: string) => boolean = () => true;
  /** Called before each answer to a whole mail. */
  onAttempt: () => void = () => {};
  readonly #held: (() => void)[] = [];
  #server: SMTPServer | null = null;

  private constructor(readonly port: number) {}

  static async reserve(): Promise<MailServer> {
    return new MailServer(await freePort());
  }

  /** As a smart host of the email adapter. */
  get address(): { host: string; port: number } {
    return { host: LOOPBACK, port: this.port };
  }

  async start(): Promise<void> {
    const server = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'],
      disableReverseLookup: true,
      closeTimeout: 1_000,
      onConnect: (_, callback) => callback(this.mood === 'shuts' ? closing() : null),
      onRcptTo: ({ address }, _, callback) => callback(this.knows(address) ? null : refusal(address)),
      onData: async (stream, { envelope }, callback) =>
        callback(await this.#receive(stream, envelope).catch((error: Error) => error)),
    });
    server.on('error', () => {});
    server.listen(this.port, LOOPBACK);
    await once(server.server, 'listening');
    this.#server = server;
  }

  /** How many are connected to it. */
  get connections(): number {
    return this.#server?.connections.size ?? 0;
  }

  /** Rejects with what the sender is told, and if the sender breaks off. */
  async #receive(stream: Readable, { mailFrom, rcptTo }: SMTPServerEnvelope): Promise<null> {
    const raw = (await buffer(stream)).toString('latin1');
    const from = mailFrom === false ? '' : mailFrom.address;
    const mail = { from, to: rcptTo.map(({ address }) => address), raw };
    this.attempts.push(mail);
    this.onAttempt();
    if (this.mood === 'holds') await new Promise<void>((resolve) => this.#held.push(resolve));
    if (this.mood === 'defers') throw Object.assign(new Error('Come back later'), { responseCode: 451 });
    this.mails.push(mail);
    return null;
  }

  /** Takes what it held. */
  letGo(): void {
    this.mood = 'takes';
    for (const resolve of this.#held.splice(0)) resolve();
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server) await new Promise<void>((resolve) => server.close(resolve));
  }
}

function closing(): Error {
  return Object.assign(new Error('No SMTP service here'), { responseCode: 554 });
}

function refusal(address: string): Error {
  return Object.assign(new Error(`No such user: ${address}`), { responseCode: 550 });
}
