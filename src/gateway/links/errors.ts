import { GatewayError } from '../../common/errors.js';

/** No link is being made under that id, any more. */
export class LinkNotBegunError extends GatewayError {
  constructor() {
    const message = 'No such link is being made; its hour may be over. Begin anew.';
    super({ code: 'LINK_NOT_BEGUN', kind: 'not-found', message });
  }
}

/** A code was typed in before the owner of the dm3 name had signed. */
export class LinkUnsignedError extends GatewayError {
  constructor() {
    const message = 'The owner of the dm3 name has to sign the link first.';
    super({ code: 'LINK_UNSIGNED', kind: 'invalid-input', message });
  }
}

/** Not the owner's signature, or not one of this text. */
export class LinkForgedError extends GatewayError {
  constructor({ by }: { by: string }) {
    super({
      code: 'LINK_FORGED',
      kind: 'forbidden',
      message: `The signature does not count: the text that was given has to be signed by ${by}.`,
    });
  }
}

/** The right signer, and a text that differs from the one that was given. */
export class LinkTextChangedError extends GatewayError {
  constructor() {
    const message = 'The text was signed with a line break at its end; sign it again without one.';
    super({ code: 'LINK_TEXT_CHANGED', kind: 'forbidden', message });
  }
}

/** What the owner signed does not hold any more: the name moved, or its keys changed. */
export class LinkBrokenError extends GatewayError {
  constructor({ name }: { name: string }) {
    const message = `${name} has moved to another address or has other keys since the link was signed. Begin anew.`;
    super({ code: 'LINK_BROKEN', kind: 'forbidden', message });
  }
}

/** One of the two cannot be linked at all. */
export class NotLinkableError extends GatewayError {
  /** @param options.reason a whole sentence */
  constructor({ reason }: { reason: string }) {
    super({ code: 'NOT_LINKABLE', kind: 'invalid-input', message: reason });
  }
}

/** Nothing to remove. */
export class NotLinkedError extends GatewayError {
  constructor() {
    super({ code: 'NOT_LINKED', kind: 'not-found', message: 'This address is not linked with a dm3 name.' });
  }
}

/** The operator does not let people make links. */
export class LinksOffError extends GatewayError {
  constructor() {
    super({
      code: 'LINKS_OFF',
      kind: 'not-found',
      message: 'Nobody can be linked here; the operator can change that with the setting links.enabled.',
    });
  }
}
