import { ReceiverUnknownError } from './errors.js';
import type { NameService } from '../naming/name-service.js';
import { ENCRYPTION_SCHEME } from '../protocol/envelope/envelope.js';
import { MESSAGE_TYPES } from '../protocol/envelope/message.js';
import { profileExtensionResult } from '../protocol/profile/extension.js';
import { deliveryServicePropertiesResult } from '../protocol/profile/properties.js';
import type { AccountService } from './accounts/account.service.js';

interface Parts {
  readonly settings: { readonly sizeLimit: number; readonly messageTtlDays: number };
  readonly names: NameService;
  readonly accounts: AccountService;
}

/** What this delivery service says of itself and of its accounts. Clients JSON.parse the results: they are strings. */
export class DeliveryServiceInfo {
  constructor(private readonly parts: Parts) {}

  /** `messageTTL` in days (0 = for ever), `sizeLimit` in bytes. */
  properties(): string {
    const { sizeLimit, messageTtlDays } = this.parts.settings;
    return deliveryServicePropertiesResult({ messageTTL: messageTtlDays, sizeLimit });
  }

  /** @throws ReceiverUnknownError, InvalidNameError; NamingUnavailableError */
  async profileExtension(name: unknown): Promise<string> {
    if (typeof name !== 'string') throw new ReceiverUnknownError({ reason: 'no ENS name was given' });
    const address = await this.parts.names.resolveAddress(this.parts.names.canonical(name));
    if (!address || !(await this.parts.accounts.stored(address))) {
      throw new ReceiverUnknownError({ reason: 'it has no account here' });
    }
    return profileExtensionResult({ encryptionSchemes: [ENCRYPTION_SCHEME], supportedMessageTypes: MESSAGE_TYPES });
  }
}
