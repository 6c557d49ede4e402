import { ReceiverUnknownError } from './errors.js';
import { ENCRYPTION_SCHEME } from '../protocol/envelope/envelope.js';
import { MESSAGE_TYPES } from '../protocol/envelope/message.js';
import { profileExtensionResult } from '../protocol/profile/extension.js';
import { deliveryServicePropertiesResult } from '../protocol/profile/properties.js';
import type { Settings } from '../config/settings.js';
import type { SpamGuard } from './spam/spam-guard.js';
import type { Parties } from './submission/parties.js';

interface Parts {
  readonly settings: Pick<Settings['deliveryService'], 'sizeLimit' | 'messageTtlDays' | 'metrics'>;
  readonly parties: Parties;
  readonly spam: SpamGuard;
}

/** What this delivery service says of itself and of its accounts. Clients JSON.parse the results: they are strings. */
export class DeliveryServiceInfo {
  constructor(private readonly parts: Parts) {}

  /** `messageTTL` in days (0 = for ever), `sizeLimit` in bytes. */
  properties(): string {
    const { sizeLimit, messageTtlDays, metrics } = this.parts.settings;
    return deliveryServicePropertiesResult({
      messageTTL: messageTtlDays,
      sizeLimit,
      metricsCollectionIntervalInSeconds: metrics.intervalSeconds,
      metricsRetentionDurationInSeconds: metrics.retentionSeconds,
    });
  }

  /** For whomever we take messages: accounts and ghosts. @throws ReceiverUnknownError; NamingUnavailableError */
  async profileExtension(name: unknown): Promise<string> {
    if (typeof name !== 'string') throw new ReceiverUnknownError({ reason: 'no ENS name was given' });
    const { claimed, address } = await this.parts.parties.receiver(name);
    return profileExtensionResult({
      encryptionSchemes: [ENCRYPTION_SCHEME],
      supportedMessageTypes: MESSAGE_TYPES,
      ...(claimed ? {} : { spamFilterRules: await this.parts.spam.thresholds(address) }),
    });
  }
}
