import { GatewayError } from '../../../common/errors.js';
import { killPoint } from '../../../ops/kill-points.js';
import type { Database } from '../../../storage/database.js';
import type { AccessList } from '../access.js';
import { ifAllowed, type MatrixApi } from '../api.js';
import type { MatrixBot } from '../bot.js';
import { HomeserverError } from '../errors.js';
import { objectIn, parseEvent, textIn, type MatrixEvent } from '../event.js';
import { FOLLOW } from './command-text.js';
import type { FanOut } from './fan-out.js';
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
  readonly fanOut: FanOut;
  readonly isOurs: (userId: string) => boolean;
  readonly access: AccessList;
  /** Puts events among those that the homeserver brings. */
  readonly bring: (events: readonly MatrixEvent[]) => Promise<unknown>;
}

/** Of what was said in the new room before the bot came. */
const CAUGHT_UP = 100;
const MOVED = 'This room goes on in another one.';

/**
 * Rooms that were upgraded (Matrix: room upgrades): the portal goes on in the new room, under its old name. Both rooms
 * have to name each other: anybody can make a room that says it follows another one, and send people to any room.
 */
export class Upgrades {
  constructor(private readonly parts: Parts) {}

  /**
   * What comes of a tombstone is done in the turn of the new room: whatever is said there waits for it.
   * @returns false if the event is no tombstone of a portal
   */
  async begin({ type, room_id, content, event_id, state_key, sender }: MatrixEvent): Promise<boolean> {
    if (type !== 'm.room.tombstone' || state_key !== '') return false;
    const portal = await this.parts.store.find(this.parts.db, room_id);
    if (portal?.state !== 'open') return portal !== null;
    const room = textIn(content, 'replacement_room') ?? '';
    const follow = {
      type: FOLLOW,
      event_id: `${FOLLOW} ${event_id}`,
      room_id: room,
      sender,
      content: { former: room_id },
    };
    if (/^![^\s]+$/.test(room) && room !== room_id) await this.parts.bring([follow]);
    else await this.#stranded(portal, event_id, 'That room does not exist.');
    return true;
  }

  /** @returns what was said in the new room before the bot came, oldest first; null if the event is none of ours */
  async follow({ type, room_id: room, content, event_id, sender }: MatrixEvent): Promise<MatrixEvent[] | null> {
    if (type !== FOLLOW) return null;
    const { bot, api } = this.parts;
    const former = textIn(content, 'former') ?? '';
    const portal = await this.#portalOf(former, room);
    if (!portal) return [];
    try {
      await api.join(await bot.ensure(), room, sender.slice(sender.indexOf(':') + 1));
    } catch (error) {
      if (!(error instanceof HomeserverError) || error.retryable) throw error;
      await this.#stranded(portal, event_id, 'Invite me there, and the bridge goes along.');
      return [];
    }
    if (await this.#follows(room, former)) return this.#move(portal, former, { room, purpose: event_id });
    await this.parts.portals.depart(room, bot.userId, 'This room does not follow the one that was bridged.');
    await this.#stranded(portal, event_id, 'That room does not say that it follows this one.');
    return [];
  }

  /** The bot was invited to a room, and is in it: perhaps that is where a portal goes on. @returns as `follow` */
  async arrive({ room_id: room, event_id }: MatrixEvent): Promise<MatrixEvent[] | null> {
    const former = await this.#formerOf(room);
    const portal = former === null ? null : await this.#portalOf(former, room);
    if (former === null || !portal || !(await this.#leadsTo(former, room))) return null;
    return this.#move(portal, former, { room, purpose: event_id });
  }

  /** By the old room, or by the new one where the gateway was killed half-way. */
  async #portalOf(former: string, room: string): Promise<Portal | null> {
    const { db, store } = this.parts;
    const portal = (await store.find(db, former)) ?? (await store.find(db, room));
    return portal?.state === 'open' ? portal : null;
  }

  async #move(portal: Portal, former: string, { room, purpose }: { room: string; purpose: string }) {
    const { db, bot, store, portals } = this.parts;
    const moved = portal.roomId === room ? portal : await store.move(db, portal, room);
    if (!moved) {
      await this.#stranded(portal, purpose, 'That one is used otherwise already.');
      return [];
    }
    killPoint('portal.moved');
    await this.#bringMembers(former, moved, purpose);
    await bot.say(room, `moved ${purpose}`, 'The bridge to dm3 has come along into this room, under its old name.');
    await portals.depart(former, bot.userId, MOVED);
    return this.#missed(room);
  }

  /** Who cannot come along is a member no longer, and is told. */
  async #bringMembers(former: string, portal: Portal, purpose: string): Promise<void> {
    const { db, members, portals, fanOut } = this.parts;
    for (const member of await members.joined(db, portal)) {
      try {
        await portals.enter(portal.roomId, member.ghost);
      } catch (error) {
        if (!(error instanceof GatewayError) || error.retryable) throw error;
        const why = `The room ${portal.shown} goes on in another one, which you could not join. Somebody there can invite you.`;
        await fanOut.tell(portal, member.target, `left behind ${purpose}`, why);
        await members.setState(db, member, 'removed');
      }
      await portals.depart(former, member.ghost, MOVED);
    }
  }

  /** Those in the old room often cannot be told any more: members in dm3 can. */
  async #stranded(portal: Portal, purpose: string, what: string): Promise<void> {
    const { db, bot, members, fanOut } = this.parts;
    await bot.say(portal.roomId, `stranded ${purpose}`, `${MOVED} ${what}`);
    const text = `The room ${portal.shown} goes on in another one, where the gateway is not. Nothing crosses until somebody there invites ${bot.userId}.`;
    for (const { target } of await members.joined(db, portal)) {
      await fanOut.tell(portal, target, `stranded ${purpose}`, text);
    }
  }

  async #formerOf(room: string): Promise<string | null> {
    const { api, bot } = this.parts;
    const created = objectIn({ state: await api.state(bot.userId, room, 'm.room.create') }, 'state');
    return textIn(objectIn(created, 'predecessor'), 'room_id');
  }

  async #follows(room: string, former: string): Promise<boolean> {
    return (await this.#formerOf(room)) === former;
  }

  async #leadsTo(former: string, room: string): Promise<boolean> {
    const { api, bot } = this.parts;
    let tombstone: unknown = null;
    // Where we have left it, all have gone over already.
    await ifAllowed(api.state(bot.userId, former, 'm.room.tombstone').then((state) => (tombstone = state)));
    return textIn(objectIn({ tombstone }, 'tombstone'), 'replacement_room') === room;
  }

  /** What came before the bot did: whatever came later is brought by the homeserver. */
  async #missed(room: string): Promise<MatrixEvent[]> {
    const { api, bot, isOurs, access } = this.parts;
    const events = (await api.latest(bot.userId, room, CAUGHT_UP)).map((event) => parseEvent(event));
    const known = events.filter((event) => event !== null) as MatrixEvent[];
    const arrival = known.findIndex(({ type, state_key }) => type === 'm.room.member' && state_key === bot.userId);
    const before = known.slice(0, arrival < 0 ? 0 : arrival);
    const said = before.filter(({ type, state_key }) => type.startsWith('m.') && state_key === undefined);
    return said.filter(({ sender }) => !isOurs(sender) && access.allows(sender));
  }
}
