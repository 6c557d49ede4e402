import type { Database } from '../../storage/database.js';
import { inSteps } from '../../storage/in-steps.js';
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

/** What the delivery service keeps for a time only. */
export class DeliveryRetention {
  constructor(private readonly parts: Parts) {}

  /** Removes what has outlived its time, in small steps: submissions go on meanwhile. */
  async purge(): Promise<void> {
    const { db, mailbox, challenges, devices, sent, messageTtlDays, stateDays, trafficSeconds } = this.parts;
    await inSteps((limit) => challenges.purge(db, limit));
    await inSteps((limit) => rateWindowStore.purge(db, limit));
    await inSteps((limit) => db.transaction((tx) => devices.purge(tx, limit)));
    await inSteps((limit) => notificationCodeStore.purge(db, limit));
    await inSteps((limit) => sent.purge(db, stateDays, limit));
    await inSteps((limit) => trafficStore.purge(db, trafficSeconds, limit));
    if (messageTtlDays > 0) await inSteps((limit) => mailbox.purge(db, messageTtlDays, limit));
  }
}
