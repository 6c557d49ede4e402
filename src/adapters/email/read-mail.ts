import type { Readable } from 'node:stream';
import { MailRefusedError } from './errors.js';

/** Counts the bytes of mail that are held in memory, over all connections. */
export class MailMemory {
  #held = 0;

  constructor(private readonly limitBytes: number) {}

  hasRoomFor(bytes: number): boolean {
    return this.#held + bytes <= this.limitBytes;
  }

  /** @throws MailRefusedError NO_ROOM */
  hold(bytes: number): void {
    if (!this.hasRoomFor(bytes)) throw noRoom();
    this.#held += bytes;
  }

  free(bytes: number): void {
    this.#held -= bytes;
  }
}

export interface ReadingLimits {
  readonly memory: MailMemory;
  /** Largest mail taken, bytes. */
  readonly maxBytes: number;
}

/**
 * Reads to the end whatever comes, keeps nothing of what cannot be taken, and holds the rest until `use` is done.
 * @throws MailRefusedError MAIL_TOO_LARGE, NO_ROOM, CONNECTION_LOST, and what `use` throws
 */
export async function withMail<T>(
  stream: Readable,
  limits: ReadingLimits,
  use: (raw: Buffer) => Promise<T>,
): Promise<T> {
  const mail = new HeldMail(limits);
  try {
    for await (const chunk of stream) mail.add(chunk as Buffer);
  } catch (cause) {
    mail.drop();
    const reason = 'The connection broke before the mail ended.';
    throw new MailRefusedError({ code: 'CONNECTION_LOST', reason, cause });
  }
  try {
    return await use(mail.whole());
  } finally {
    mail.drop();
  }
}

/** @throws MailRefusedError MAIL_TOO_LARGE */
export function refuseLarger(bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new MailRefusedError({ code: 'MAIL_TOO_LARGE', reason: `The mail has more than ${maxBytes} bytes.` });
}

export function noRoom(): MailRefusedError {
  const reason = 'Too much mail is coming in just now; please try again later.';
  return new MailRefusedError({ code: 'NO_ROOM', reason });
}

/** One mail while it comes in; a refusal waits for its end, which is when SMTP answers. */
class HeldMail {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #refusal: unknown = null;

  constructor(private readonly limits: ReadingLimits) {}

  add(chunk: Buffer): void {
    if (this.#refusal) return;
    try {
      refuseLarger(this.#bytes + chunk.length, this.limits.maxBytes);
      this.limits.memory.hold(chunk.length);
      this.#bytes += chunk.length;
      this.#chunks.push(chunk);
    } catch (refusal) {
      this.#refusal = refusal;
      this.drop();
    }
  }

  /** @throws why it was not kept */
  whole(): Buffer {
    if (this.#refusal) throw this.#refusal;
    const raw = Buffer.concat(this.#chunks);
    this.#chunks = [];
    return raw;
  }

  drop(): void {
    this.limits.memory.free(this.#bytes);
    this.#bytes = 0;
    this.#chunks = [];
  }
}
