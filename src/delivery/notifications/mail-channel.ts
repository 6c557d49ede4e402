import type { NotificationChannel } from './channel.js';
import { CODE_MINUTES } from './one-time-codes.js';
import { RecipientInvalidError } from './errors.js';
import type { NotificationMailer } from './mailer.js';

interface Parts {
  readonly mailer: NotificationMailer;
  /** How the mails call this delivery service: the host of its public URL. */
  readonly host: string;
}

/** Mail to an address that a code has proved. It names neither the account nor who wrote: mail is read on its way. */
export class MailChannel implements NotificationChannel {
  readonly type = 'EMAIL';
  readonly publicConfig = {};

  constructor(private readonly parts: Parts) {}

  parseRecipient(value: unknown): string {
    const mailbox = typeof value === 'string' ? this.parts.mailer.parseMailbox(value) : null;
    if (mailbox !== null) return mailbox;
    throw new RecipientInvalidError({ reason: 'Invalid email value: mail for notifications cannot be sent there.' });
  }

  readonly sendCode = async (to: string, id: string, code: string): Promise<void> => {
    const lines = [
      `Your code is ${code}. It is good for ${CODE_MINUTES} minutes.`,
      '',
      `Somebody with a dm3 account at ${this.parts.host} wants to be told at this address`,
      'when messages wait. If that was not you, ignore this mail: without the code no other follows.',
    ];
    await this.#send({ to, id, subject: 'Your dm3 verification code', lines });
  };

  async notify(to: string, id: string): Promise<void> {
    const lines = [
      'You received a new message. Open your dm3 client to read it.',
      '',
      '-- ',
      `You get this mail because a dm3 account at ${this.parts.host} is to be told at this address`,
      'when messages wait. To switch it off, remove the address in the notification settings of',
      'your dm3 client.',
    ];
    await this.#send({ to, id, subject: 'New dm3 message', lines });
  }

  #send({ lines, ...mail }: { to: string; id: string; subject: string; lines: readonly string[] }): Promise<void> {
    return this.parts.mailer.sendNotification({ ...mail, text: `${lines.join('\n')}\n` });
  }
}
