/** What notifications need of a network that carries mail. Injection token of one, or of null where there is none. */
export const NOTIFICATION_MAILER = Symbol('notification mailer');

export interface NotificationMailer {
  /** The mailbox as mail is sent to it; null for what is none, and for those that this gateway itself serves. */
  parseMailbox(text: string): string | null;
  /**
   * Resolves once a mail server has taken it.
   * @throws GatewayError that says whether to try again
   */
  sendNotification(mail: NotificationMail): Promise<void>;
}

/** From a machine, to be answered by nobody. */
export interface NotificationMail {
  /** 64 hex digits; a mail of the same id is the same mail. */
  readonly id: string;
  readonly to: string;
  readonly subject: string;
  /** Plain, lines ending in `\n`. */
  readonly text: string;
}
