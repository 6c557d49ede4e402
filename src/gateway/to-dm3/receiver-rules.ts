import { isRetryable } from '../../common/errors.js';
import type { AccountService } from '../../delivery/accounts/account.service.js';
import { SpamRefusedError } from '../../delivery/spam/errors.js';
import type { SpamGuard } from '../../delivery/spam/spam-guard.js';
import type { UserProfile } from '../../protocol/profile/user-profile.js';
import type { Database } from '../../storage/database.js';
import type { ForeignMessage, Target } from '../adapter/adapter.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import type { MessageStore } from '../messages/message.store.js';
import { originOf } from './origin.js';

interface Parts {
  readonly db: Database;
  readonly accounts: Pick<AccountService, 'profileOf' | 'listsNoOther'>;
  readonly spam: Pick<SpamGuard, 'check'>;
  readonly ghosts: Pick<GhostService, 'currentKeys'>;
  readonly messages: MessageStore;
}

/**
 * Asks accounts of this service for their spam rules before a foreign message is taken over, so that the foreign
 * network itself refuses it and its author need not be written to. Delivery asks again: rules may change in between.
 */
export class ReceiverRules {
  constructor(private readonly parts: Parts) {}

  /**
   * Several receivers share one answer: as long as one of them takes the message, the others refuse at delivery.
   * Of whom nobody can tell anything at the moment, delivery asks.
   * @throws SpamRefusedError if none takes it; ProfileNotFoundError, ProfileInvalidError
   */
  async check(message: ForeignMessage, ghost: Ghost): Promise<void> {
    const refusals = await Promise.all(message.to.map((target) => this.#refusal(message, ghost, target)));
    const [first] = refusals;
    if (first && refusals.every((refusal) => refusal !== null)) throw first;
  }

  async #refusal(message: ForeignMessage, ghost: Ghost, target: Target): Promise<SpamRefusedError | null> {
    const { accounts, spam, ghosts } = this.parts;
    const profile = await this.#profileOf(target);
    if (!profile) return null;
    // What we refuse, another delivery service of the receiver may still take.
    if (!accounts.listsNoOther(profile)) return null;
    const contact = { ...message, sender: message.identity, identity: target.address, ghost: ghost.address };
    const { keys } = await ghosts.currentKeys(ghost);
    const sender = { name: ghost.name, address: ghost.address, signingKey: keys.signing.publicKey };
    const arrival = { receiver: target.address, from: ghost.name, sender, origin: originOf(this.parts, contact) };
    return spam.check(arrival).then(() => null, refusedOnly);
  }

  async #profileOf({ name, address }: Target): Promise<UserProfile | null> {
    try {
      return (await this.parts.accounts.profileOf(name, address)).profile;
    } catch (error) {
      if (isRetryable(error)) return null;
      throw error;
    }
  }
}

/** @throws whatever is no refusal */
function refusedOnly(error: unknown): SpamRefusedError {
  if (error instanceof SpamRefusedError) return error;
  throw error;
}
