import { GatewayError } from '../../common/errors.js';
import type { EthAddress } from '../../common/ids.js';
import type { Sealer } from '../../storage/sealer.js';

/** `since` is not what an answer of ours said. */
export class InvalidCursorError extends GatewayError {
  constructor({ cause }: { cause: unknown }) {
    const message = 'The value of "since" is none that this mailbox gave out; leave it away to begin with the newest.';
    super({ code: 'INVALID_CURSOR', kind: 'invalid-input', message, cause });
  }
}

/** Where a page ended, in a form that says nothing to the one who carries it: positions count everybody's mail. */
export class PageCursors {
  constructor(private readonly sealer: Sealer) {}

  /** @param position decimal, as the mailbox has it */
  write(account: EthAddress, position: string): string {
    return this.sealer.seal(place(account), Buffer.from(position)).toString('base64url');
  }

  /** @throws InvalidCursorError */
  read(account: EthAddress, cursor: string): string {
    try {
      return Buffer.from(this.sealer.open(place(account), Buffer.from(cursor, 'base64url'))).toString();
    } catch (cause) {
      throw new InvalidCursorError({ cause });
    }
  }
}

const place = (account: EthAddress) => ({ table: 'mailbox', column: 'position', row: account });
