import type { Database } from '../../storage/database.js';
import type { Removal } from '../../storage/in-steps.js';
import { rateWindowStore } from '../../storage/rate-limits/rate-window.store.js';
import type { ChallengeStore } from '../access/challenge.store.js';
import type { DeviceStore } from '../access/device.store.js';
import type { MailboxStore } from '../mailbox/mailbox.store.js';
import { notificationCodeStore } from '../notifications/code.store.js';
import type { SentStore } from '../sent/sent.store.js';
import { trafficStore } from '../traffic/traffic.store.js';

interface Parts {
  readonly db: Database;
  readonly mailbox: MailboxStore;
  readonly challenges: ChallengeStore;
  readonly devices: DeviceStore;
  readonly sent: SentStore;
  /** How long unread messages stay; 0 = for ever. */
  readonly messageTtlDays: number;
  /** How long it is kept what became of messages. */
  readonly stateDays: number;
  /** How long sums of what came in stay. */
  readonly trafficSeconds: number;
}

/** Each takes with it what only it held back in its account's mailbox. */
const DEVICES_A_STEP = 50;

/** What the delivery service keeps for a time only. */
export class DeliveryRetention {
  constructor(private readonly parts: Parts) {}

  removals(): readonly Removal[] {
    const { db, mailbox, challenges, devices, sent, messageTtlDays, stateDays, trafficSeconds } = this.parts;
    const envelopes = { what: 'mailbox', step: (limit: number) => mailbox.purge(db, messageTtlDays, limit) };
    return [
      { what: 'login_challenge', step: (limit) => challenges.purge(db, limit) },
      { what: 'rate_window', step: (limit) => rateWindowStore.purge(db, limit) },
      {
        what: 'mailbox_device',
        step: (limit) => db.transaction((tx) => devices.purge(tx, limit)),
        rows: DEVICES_A_STEP,
      },
      { what: 'notification_code', step: (limit) => notificationCodeStore.purge(db, limit) },
      { what: 'mailbox_outcome', step: (limit) => sent.purge(db, stateDays, limit) },
      { what: 'traffic', step: (limit) => trafficStore.purge(db, trafficSeconds, limit) },
      ...(messageTtlDays > 0 ? [envelopes] : []),
    ];
  }
}
