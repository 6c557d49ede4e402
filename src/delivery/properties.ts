import { ReceiverUnknownError } from './errors.js';
import { ENCRYPTION_SCHEME } from '../protocol/envelope/envelope.js';
import { MESSAGE_TYPES } from '../protocol/envelope/message.js';
import { profileExtensionResult, type ProfileExtension } from '../protocol/profile/extension.js';
import { deliveryServicePropertiesResult } from '../protocol/profile/properties.js';
import type { Settings } from '../config/settings.js';
import type { EthAddress } from '../common/ids.js';
import type { OfferedChannels } from './notifications/channel.js';
import type { Permissions } from './permissions/permissions.js';
import type { SpamGuard } from './spam/spam-guard.js';
import type { Parties } from './submission/parties.js';

interface Parts {
  readonly settings: Pick<Settings['deliveryService'], 'sizeLimit' | 'messageTtlDays' | 'metrics'>;
  readonly parties: Parties;
  readonly spam: SpamGuard;
  readonly permissions: Permissions;
  readonly notifications: OfferedChannels;
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
      notificationChannel: this.parts.notifications.describe(),
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
      ...(claimed ? {} : await this.#termsOf(address)),
    });
  }

  /** What an account here asks of senders, and what it permits other accounts here. */
  async #termsOf(account: EthAddress): Promise<Pick<ProfileExtension, 'spamFilterRules' | 'permissions'>> {
    const { spam, permissions } = this.parts;
    const granted = await permissions.of(account);
    const spamFilterRules = await spam.thresholds(account);
    return granted.length > 0 ? { spamFilterRules, permissions: granted } : { spamFilterRules };
  }
}
