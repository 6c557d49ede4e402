import { GatewayError } from '../../common/errors.js';
import type { BrokenRule } from './evaluate.js';

/** A rule of the receiver's keeps the sender out. Says which, and nothing of the receiver's lists. */
export class SpamRefusedError extends GatewayError {
  constructor({ broken }: { broken: BrokenRule }) {
    super({ code: 'SPAM_REFUSED', kind: 'spam', message: explainRule(broken), facts: { ...broken } });
  }
}

/** A whole sentence for the sender. */
export function explainRule(broken: BrokenRule): string {
  switch (broken.rule) {
    case 'block':
      return 'The receiver does not take messages from this sender.';
    case 'requireVerifiedSender':
      return 'The receiver takes messages only from senders who can be verified.';
    case 'firstContact':
      return broken.needs === 'consent'
        ? 'The receiver takes messages from this network only from people the receiver has written to.'
        : 'The receiver takes a first message from this network only if its sender passes authentication (such as DMARC).';
    case 'minNonce':
      return `The receiver takes messages only from accounts that have sent at least ${broken.minimum} transactions.`;
    case 'minBalance':
      return `The receiver takes messages only from accounts that hold at least ${broken.minimum} wei.`;
    case 'minTokenBalance':
      return `The receiver takes messages only from accounts that hold at least ${broken.minimum} units of the token ${broken.token}.`;
  }
}
