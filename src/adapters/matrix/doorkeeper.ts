import { GatewayError } from '../../common/errors.js';
import { parseUserId } from './address.js';
import type { AccessList } from './access.js';
import { RECEIPT, textIn, type MatrixEvent } from './event.js';
import type { EventHandler } from './inbox.js';
import { TooFastError, type MatrixLimits } from './limits.js';
import type { Membership } from './membership.js';
import { Once } from './once.js';

interface Parts {
  /** What is done with what passes. */
  readonly handler: EventHandler;
  readonly access: AccessList;
  readonly limits: Pick<MatrixLimits, 'message' | 'invitation'>;
  readonly membership: Pick<Membership, 'say' | 'decline' | 'reject'>;
  /** Who of ours speaks with the author of an event in its room; null where it is none of our business. */
  readonly voiceFor: (event: MatrixEvent) => Promise<string | null>;
  readonly isOurs: (userId: string) => boolean;
  readonly bridgeNotices: boolean;
  readonly now: () => number;
}

const NOT_SERVED = 'The operator of this gateway does not let you use it: nothing you say here reaches anybody.';
/** Whoever goes on writing too fast is not told again so soon. */
const TELL_EVERY_MS = 600_000;
const HOUR_MS = 3_600_000;
const TOLD = 20_000;

/**
 * Stands before the handling of events: the operator's lists, and how much one person may do. Nothing is refused
 * without a word, and the same word is said once: its transaction id is that of the occasion, not of the event.
 */
export class Doorkeeper implements EventHandler {
  readonly #told = new Once(TOLD);

  constructor(private readonly parts: Parts) {}

  async handle(event: MatrixEvent): Promise<void> {
    const { handler, isOurs } = this.parts;
    if (isOurs(event.sender) || parseUserId(event.sender) === null) return handler.handle(event);
    if (isInvitation(event)) return this.#invitation(event, event.state_key!);
    // Who is where is always noted, and rooms are looked after.
    if (event.state_key !== undefined) return handler.handle(event);
    if (await this.#passes(event)) await handler.handle(event);
  }

  fail(event: MatrixEvent, error: unknown): Promise<void> {
    return this.parts.handler.fail(event, error);
  }

  /** @throws TooFastError (retry) */
  #passes(event: MatrixEvent): Promise<boolean> {
    return this.parts.access.allows(event.sender) ? this.#paced(event) : this.#stranger(event);
  }

  async #stranger(event: MatrixEvent): Promise<boolean> {
    const voice = await this.parts.voiceFor(event);
    if (voice === null) return true; // whoever sees to that room knows what to do
    const isSilent = event.type === RECEIPT || event.type === 'm.reaction';
    if (!isSilent)
      await this.#tell(event, voice, { key: `not served ${event.sender} ${event.room_id}`, text: NOT_SERVED });
    return false;
  }

  async #paced(event: MatrixEvent): Promise<boolean> {
    if (!this.#isCounted(event)) return true;
    const { limits, voiceFor, now } = this.parts;
    const voice = await voiceFor(event);
    if (voice === null) return true; // it goes nowhere
    try {
      await limits.message(event.sender, event.event_id);
      return true;
    } catch (error) {
      if (error instanceof TooFastError && !isAutomatic(event.content)) {
        const period = Math.floor(now() / TELL_EVERY_MS);
        await this.#tell(event, voice, { key: `too fast ${event.sender} ${period}`, text: error.message });
      }
      throw error;
    }
  }

  #isCounted({ type, content }: MatrixEvent): boolean {
    return type !== RECEIPT && (this.parts.bridgeNotices || !isAutomatic(content));
  }

  async #tell(
    { room_id: roomId }: MatrixEvent,
    ghost: string,
    { key, text }: { key: string; text: string },
  ): Promise<void> {
    await this.#told.do(key, () => this.parts.membership.say({ roomId, ghost }, key, text));
  }

  async #invitation(event: MatrixEvent, ghost: string): Promise<void> {
    const { handler, access, isOurs, limits } = this.parts;
    if (!isOurs(ghost)) return handler.handle(event);
    try {
      await limits.invitation(event.sender, event.event_id);
    } catch (error) {
      if (!(error instanceof GatewayError) || error.retryable) throw error;
      return this.#refuse(event, ghost, { code: error.code, text: error.message });
    }
    if (access.allows(event.sender)) return handler.handle(event);
    await this.#refuse(event, ghost, { code: 'not served', text: NOT_SERVED });
  }

  /** In words the first time in an hour; whoever goes on inviting finds them as the reason of the refusal. */
  async #refuse(event: MatrixEvent, ghost: string, { code, text }: { code: string; text: string }): Promise<void> {
    const { membership, now } = this.parts;
    const key = `refused ${code} ${event.sender} ${Math.floor(now() / HOUR_MS)}`;
    const toldNow = await this.#told.do(key, () => membership.decline(event, ghost, text));
    if (!toldNow) await membership.reject(event, ghost, text);
  }
}

function isInvitation({ type, content }: MatrixEvent): boolean {
  return type === 'm.room.member' && textIn(content, 'membership') === 'invite';
}

function isAutomatic(content: MatrixEvent['content']): boolean {
  return content['msgtype'] === 'm.notice';
}
