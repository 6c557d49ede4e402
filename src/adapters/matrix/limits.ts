import type { Clock } from '../../common/clock.js';
import { GatewayError } from '../../common/errors.js';
import { DeliveryFailedError } from '../../gateway/adapter/errors.js';
import type { Database } from '../../storage/database.js';
import { RateLimitedError } from '../../storage/rate-limits/errors.js';
import { RateLimiter } from '../../storage/rate-limits/rate-limiter.js';
import type { Sealer } from '../../storage/sealer.js';
import type { MatrixConfig } from './config.js';
import { Once } from './once.js';

interface Parts {
  readonly db: Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly rates: MatrixConfig['limits'];
}

/** It is handled later: the event stays where it is, and its room waits behind it. */
export class TooFastError extends GatewayError {
  readonly retryAfterSeconds: number;

  constructor({ perMinute, retryAfterSeconds }: { perMinute: number; retryAfterSeconds: number }) {
    const message = `You write faster than ${perMinute} messages a minute: your messages follow, in their order, as fast as that.`;
    super({ code: 'SENDER_TOO_FAST', kind: 'limit-exceeded', message, retryable: true });
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** More chats than one person opens; whoever still wants this one comes back. */
export class TooManyInvitationsError extends GatewayError {
  constructor({ perHour, retryAfterSeconds }: { perHour: number; retryAfterSeconds: number }) {
    const message = `You have opened ${perHour} chats in an hour, and no more are taken. Please invite me again in ${minutes(retryAfterSeconds)}.`;
    super({ code: 'TOO_MANY_INVITATIONS', kind: 'limit-exceeded', message });
  }
}

/** Events that were counted already: what is tried again costs nothing. */
const COUNTED = 20_000;

/** How much one person may do, counted over all processes (docs/matrix.md, "Limits"). */
export class MatrixLimits {
  readonly #messages: RateLimiter;
  readonly #invitations: RateLimiter;
  readonly #chats: RateLimiter;
  readonly #commands: RateLimiter;
  readonly #counted = new Once(COUNTED);

  constructor(private readonly parts: Parts) {
    const { rates } = parts;
    this.#messages = new RateLimiter({ ...parts, what: 'matrix messages', limit: rates.messagesPerMinute });
    this.#invitations = new RateLimiter({
      ...parts,
      what: 'matrix invitations',
      limit: rates.invitationsPerHour,
      per: 'hour',
    });
    this.#commands = new RateLimiter({ ...parts, what: 'matrix commands', limit: rates.messagesPerMinute });
    this.#chats = new RateLimiter({ ...parts, what: 'matrix chats', limit: rates.newChatsPerHour, per: 'hour' });
  }

  /** One more message of somebody on Matrix. @throws TooFastError (retry); StorageUnavailableError */
  message(sender: string, eventId: string): Promise<void> {
    const perMinute = this.parts.rates.messagesPerMinute;
    return this.#take(
      this.#messages,
      { subject: sender, eventId },
      (retryAfterSeconds) => new TooFastError({ perMinute, retryAfterSeconds }),
    );
  }

  /** One more of our ghosts that he invites. @throws TooManyInvitationsError; StorageUnavailableError */
  invitation(sender: string, eventId: string): Promise<void> {
    const perHour = this.parts.rates.invitationsPerHour;
    return this.#take(
      this.#invitations,
      { subject: sender, eventId },
      (retryAfterSeconds) => new TooManyInvitationsError({ perHour, retryAfterSeconds }),
    );
  }

  /** One more person on Matrix whom somebody of dm3 has invited. @throws DeliveryFailedError TOO_MANY_CHATS: permanent */
  newChat({ identity }: { readonly identity: string }): Promise<void> {
    const { newChatsPerHour } = this.parts.rates;
    return this.#take(this.#chats, { subject: identity }, (retryAfterSeconds) => {
      const reason = `You have opened ${newChatsPerHour} new chats on Matrix in an hour, and no more are opened for you. Write again in ${minutes(retryAfterSeconds)}.`;
      return new DeliveryFailedError({ code: 'TOO_MANY_CHATS', reason, retryable: false });
    });
  }

  /** One more command that somebody of dm3 gives in rooms. @throws DeliveryFailedError TOO_MANY_COMMANDS: permanent */
  command({ identity }: { readonly identity: string }, message: string): Promise<void> {
    const { messagesPerMinute } = this.parts.rates;
    return this.#take(this.#commands, { subject: identity, eventId: `command ${message}` }, (retryAfterSeconds) => {
      const reason = `You have given ${messagesPerMinute} commands in a minute, and no more are taken. Write again in ${minutes(retryAfterSeconds)}.`;
      return new DeliveryFailedError({ code: 'TOO_MANY_COMMANDS', reason, retryable: false });
    });
  }

  async #take(
    limiter: RateLimiter,
    { subject, eventId }: { subject: string; eventId?: string },
    refusal: (retryAfterSeconds: number) => GatewayError,
  ): Promise<void> {
    if (eventId !== undefined && this.#counted.has(eventId)) return;
    try {
      await limiter.take(subject);
    } catch (error) {
      if (error instanceof RateLimitedError) throw refusal(Number(error.facts['retryAfterSeconds']));
      throw error;
    }
    if (eventId !== undefined) this.#counted.add(eventId);
  }
}

function minutes(seconds: number): string {
  const count = Math.ceil(seconds / 60);
  return count === 1 ? 'a minute' : `${count} minutes`;
}
