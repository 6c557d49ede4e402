import type { EnsName } from '../../common/ids.js';
import type { Database } from '../../storage/database.js';
import { ifAllowed, type MatrixApi } from './api.js';
import type { GhostAccountStore } from './ghost.store.js';
import { localpart } from './ghost-id.js';
import { noticeContent } from './notice.js';
import { transactionFor } from './part-id.js';

interface Parts {
  readonly db: Database;
  readonly api: MatrixApi;
  readonly store: GhostAccountStore;
  /** `@dm3bot:hs.org`, as in the registration. */
  readonly userId: string;
}

const DISPLAY_NAME = 'dm3' as EnsName;

/** The application service's own account: it is invited to rooms, takes commands, and speaks where no ghost is meant. */
export class MatrixBot {
  constructor(private readonly parts: Parts) {}

  get userId(): string {
    return this.parts.userId;
  }

  /** Its account, with a device as ghosts have one. */
  async ensure(): Promise<string> {
    const { db, api, store, userId } = this.parts;
    if (await store.find(db, userId)) return userId;
    await api.register(localpart(userId));
    await api.putDevice(userId);
    await api.setDisplayName(userId, DISPLAY_NAME);
    await store.put(db, { userId, name: DISPLAY_NAME, displayName: DISPLAY_NAME, avatar: null, checkedAt: 0 });
    return userId;
  }

  /**
   * A notice, in markdown. Said into a room the bot is not in (any more), it is lost on purpose.
   * @param purpose the same text is said once for it
   * @param about the event it answers
   */
  async say(room: string, purpose: string, text: string, about?: string): Promise<void> {
    const as = await this.ensure();
    const relation = about === undefined ? {} : { 'm.relates_to': { 'm.in_reply_to': { event_id: about } } };
    const content = { ...noticeContent(text), ...relation };
    const place = { as, room, txn: transactionFor('bot', purpose) };
    await ifAllowed(this.parts.api.send(place, 'm.room.message', content));
  }
}
