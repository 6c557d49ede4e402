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

/** Each takes with it what only it held back in its account's mailbox. */
const DEVICES_A_STEP = 50;

/** What the delivery service keeps for a time only. */
export class DeliveryRetention {
  constructor(private readonly parts: Parts) {}

  /** Removes what has outlived its time, in small steps: submissions go on meanwhile. */
  async purge(signal?: AbortSignal): Promise<void> {
    const { db, mailbox, challenges, devices, sent, messageTtlDays, stateDays, trafficSeconds } = this.parts;
    const clear = (step: (limit: number) => Promise<number>, rows?: number) => inSteps(step, { rows, signal });
    await clear((limit) => challenges.purge(db, limit));
    await clear((limit) => rateWindowStore.purge(db, limit));
    await clear((limit) => db.transaction((tx) => devices.purge(tx, limit)), DEVICES_A_STEP);
    await clear((limit) => notificationCodeStore.purge(db, limit));
    await clear((limit) => sent.purge(db, stateDays, limit));
    await clear((limit) => trafficStore.purge(db, trafficSeconds, limit));
    if (messageTtlDays > 0) await clear((limit) => mailbox.purge(db, messageTtlDays, limit));
  }
}
