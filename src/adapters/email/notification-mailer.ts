import { sendsChallenges, type Adapter } from '../../gateway/adapter/adapter.js';
import { DeliveryFailedError } from '../../gateway/adapter/errors.js';
import type { EmailAdapter } from './adapter.js';
import { toForeign } from './address.js';
import type { Notification } from './notification.js';

/**
 * Mail to accounts leaves where all mail leaves: from the process with the connection, which may be another one.
 * @param email as it was made here
 * @param running what sends mail for this process
 */
export function notificationMailer(email: Pick<EmailAdapter, 'parseMailbox'>, running: () => Adapter) {
  return {
    parseMailbox: (text: string) => email.parseMailbox(text),
    sendNotification: async ({ to, ...mail }: Notification): Promise<void> => {
      const adapter = running();
      if (!sendsChallenges(adapter)) throw unavailable();
      await adapter.sendChallenge({ ...mail, to: toForeign(to) });
    },
  };
}

function unavailable(): DeliveryFailedError {
  const reason = 'Mail of the service itself cannot be sent at the moment.';
  return new DeliveryFailedError({ code: 'NETWORK_UNAVAILABLE', reason, retryable: true });
}
