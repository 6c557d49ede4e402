import { sendsChallenges, type Adapter } from '../../gateway/adapter/adapter.js';
import { NetworkUnavailableError } from '../../gateway/adapters.js';
import type { EmailAdapter } from './adapter.js';
import { toForeign } from './address.js';
import type { Notification } from './notification.js';

/**
 * Mail to accounts leaves where all mail leaves: from the process with the connection, which may be another one.
 * @param email as it was made here
 * @param running what sends mail for this process
 */
export function notificationMailer(email: Pick<EmailAdapter, 'network' | 'parseMailbox'>, running: () => Adapter) {
  return {
    parseMailbox: (text: string) => email.parseMailbox(text),
    sendNotification: async ({ to, ...mail }: Notification): Promise<void> => {
      const adapter = running();
      if (!sendsChallenges(adapter)) throw new NetworkUnavailableError(email);
      await adapter.sendChallenge({ ...mail, to: toForeign(to) });
    },
  };
}
