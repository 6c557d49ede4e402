import { GatewayError } from '../../../common/errors.js';
import { killPoint } from '../../../ops/kill-points.js';
import type { Database } from '../../../storage/database.js';
import { isRefusal, type MatrixApi } from '../api.js';
import type { MatrixBot } from '../bot.js';
import { objectIn, parseEvent, textIn, type MatrixEvent } from '../event.js';
import type { MemberStore } from './member.store.js';
import type { Portal, PortalStore } from './portal.store.js';
import type { MatrixPortals } from './portals.js';

interface Parts {
  readonly db: Database;
  readonly api: MatrixApi;
  readonly bot: MatrixBot;
  readonly store: PortalStore;
  readonly members: MemberStore;
  readonly portals: MatrixPortals;
  /** Puts events among those that the homeserver brings. */
  readonly bring: (events: readonly MatrixEvent[]) => Promise<unknown>;
}

/** Of what was said in the new room before the bot came. */
const CAUGHT_UP = 100;
const MOVED = 'This room goes on in another one.';

/**
 * Rooms that were upgraded (Matrix: room upgrades): the portal goes on in the new room, under its old name. Both rooms
 * have to name each other: anybody can make a room that says it follows another one.
 */
export class Upgrades {
  constructor(private readonly parts: Parts) {}

  /** @returns false if the event is no tombstone of a portal */
  async follow({ type, room_id, content, event_id, state_key }: MatrixEvent): Promise<boolean> {
    if (type !== 'm.room.tombstone' || state_key !== '') return false;
    const { db, store } = this.parts;
    const replacement = textIn(content, 'replacement_room');
    const here = await store.find(db, room_id);
    // It was moved already, and the gateway was killed before all had gone over.
    const there = here || replacement === null ? null : await store.find(db, replacement);
    const portal = here ?? there;
    if (portal?.state !== 'open' || replacement === null) return portal !== null;
    await this.#moveFrom(room_id, portal, replacement, event_id);
    return true;
  }

  /** The bot was invited to a room: perhaps to where a portal goes on. @returns whether it was */
  async arrive({ room_id, event_id }: MatrixEvent): Promise<boolean> {
    const { db, api, bot, store } = this.parts;
    const created = objectIn({ state: await api.state(bot.userId, room_id, 'm.room.create') }, 'state');
    const former = textIn(objectIn(created, 'predecessor'), 'room_id');
    if (former === null) return false;
    const portal = (await store.find(db, former)) ?? (await store.find(db, room_id));
    if (portal?.state !== 'open' || !(await this.#leadsTo(former, room_id))) return false;
    await this.#moveFrom(former, portal, room_id, event_id);
    return true;
  }

  /**
   * The row moves first: from the moment the bot is in the new room, what is said there finds the portal. A room that
   * cannot be entered gives it back.
   */
  async #moveFrom(former: string, portal: Portal, room: string, purpose: string): Promise<void> {
    const { db, api, bot, store } = this.parts;
    const moved = portal.roomId === room ? portal : await store.move(db, portal, room);
    if (!moved) return bot.say(former, `taken ${purpose}`, `${MOVED} That one is bridged already.`);
    killPoint('portal.moved');
    try {
      await api.join(await bot.ensure(), room);
    } catch (error) {
      if (!isRefusal(error, 'M_FORBIDDEN')) throw error;
      await store.move(db, moved, former);
      return bot.say(former, `uninvited ${purpose}`, `${MOVED} Invite me there, and the bridge goes along.`);
    }
    const failures = await this.#bringMembers(former, moved);
    const lines = ['The bridge to dm3 has come along into this room, under its old name.', ...failures];
    await bot.say(room, `moved ${purpose}`, lines.join('\n\n'));
    await this.parts.portals.depart(former, bot.userId, MOVED);
    await this.#catchUp(room);
  }

  async #leadsTo(former: string, room: string): Promise<boolean> {
    const { api, bot } = this.parts;
    try {
      const tombstone = objectIn({ state: await api.state(bot.userId, former, 'm.room.tombstone') }, 'state');
      return textIn(tombstone, 'replacement_room') === room;
    } catch (error) {
      if (isRefusal(error, 'M_FORBIDDEN')) return false; // we have left it: all have gone over already
      throw error;
    }
  }

  async #bringMembers(former: string, portal: Portal): Promise<string[]> {
    const { db, members, portals } = this.parts;
    const failures: string[] = [];
    for (const member of await members.joined(db, portal)) {
      try {
        await portals.enter(portal.roomId, member.ghost);
        await portals.depart(former, member.ghost, MOVED);
      } catch (error) {
        if (!(error instanceof GatewayError) || error.retryable) throw error;
        failures.push(error.message);
      }
    }
    return failures;
  }

  async #catchUp(room: string): Promise<void> {
    const { api, bot, bring } = this.parts;
    const events = (await api.latest(bot.userId, room, CAUGHT_UP)).map((event) => parseEvent(event));
    await bring(events.filter((event) => event !== null && event.state_key === undefined) as MatrixEvent[]);
  }
}
