import { GatewayError } from '../../common/errors.js';

/** A file that does not fit into the message is larger than what is kept for a receiver to fetch. */
export class AttachmentTooLargeError extends GatewayError {
  /** @param options.name as its author called it; he is the one who reads this */
  constructor({ name, sizeBytes, limitBytes }: { name: string; sizeBytes: number; limitBytes: number }) {
    super({
      code: 'ATTACHMENT_TOO_LARGE',
      kind: 'too-large',
      message: `The file ${name} has ${sizeBytes} bytes. It does not fit into the message, and of a file that the receiver has to fetch ${limitBytes} bytes are kept here at most.`,
      facts: { sizeBytes, limitBytes },
    });
  }
}

/** The same for all files of a message together. */
export class AttachmentsTooLargeError extends GatewayError {
  constructor({ sizeBytes, limitBytes }: { sizeBytes: number; limitBytes: number }) {
    super({
      code: 'ATTACHMENTS_TOO_LARGE',
      kind: 'too-large',
      message: `Files of ${sizeBytes} bytes together do not fit into the message, and for one message ${limitBytes} bytes are kept here at most.`,
      facts: { sizeBytes, limitBytes },
    });
  }
}

/** What is there already leaves no room for now. */
export class AttachmentStoreFullError extends GatewayError {
  constructor({ of, limitBytes }: { of: 'everybody' | 'the receiver'; limitBytes: number }) {
    super({
      code: 'ATTACHMENT_STORE_FULL',
      kind: 'limit-exceeded',
      message:
        of === 'everybody'
          ? 'Large files of others take all the room that there is for them. Try again later.'
          : `More than ${limitBytes} bytes of large files are not kept for one receiver within a day. Try again tomorrow.`,
      retryable: true,
      facts: { limitBytes },
    });
  }
}

/** A link that never was one, or whose file is long gone. */
export class AttachmentNotFoundError extends GatewayError {
  constructor() {
    const message =
      'There is no file behind this link: it was copied incompletely, or its time was over a while ago. Ask the sender to send the file again.';
    super({ code: 'ATTACHMENT_NOT_FOUND', kind: 'not-found', message });
  }
}

export class AttachmentExpiredError extends GatewayError {
  constructor() {
    const message =
      'Files are kept for a limited time, and the time of this one is over. Ask the sender to send the file again.';
    super({ code: 'ATTACHMENT_EXPIRED', kind: 'not-found', message });
  }
}
