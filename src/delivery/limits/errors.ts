import { GatewayError } from '../../common/errors.js';

/** The receiver has not fetched what came before. */
export class MailboxFullError extends GatewayError {
  constructor({ quota: { messages, bytes } }: { quota: { readonly messages: number; readonly bytes: number } }) {
    super({
      code: 'MAILBOX_FULL',
      kind: 'limit-exceeded',
      message: `The receiver's mailbox is full: it holds ${messages} messages and ${bytes} bytes. Try again later.`,
      retryable: true,
    });
  }
}
