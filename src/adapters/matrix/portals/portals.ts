import { GatewayError } from '../../../common/errors.js';
import type { Target } from '../../../gateway/adapter/adapter.js';
import { DeliveryFailedError } from '../../../gateway/adapter/errors.js';
import type { Database } from '../../../storage/database.js';
import { ifAllowed, isRefusal, type MatrixApi } from '../api.js';
import type { MatrixBot } from '../bot.js';
import { objectIn } from '../event.js';
import type { MatrixGhosts } from '../ghosts.js';
import type { Mentionable } from '../mentions.js';
import type { PortalSpeaker } from '../rendering.js';
import type { Member, MemberStore } from './member.store.js';
import type { Portal, PortalStore } from './portal.store.js';

interface Parts {
  readonly db: Database;
  readonly api: MatrixApi;
  readonly bot: MatrixBot;
  readonly ghosts: MatrixGhosts;
  readonly store: PortalStore;
  readonly members: MemberStore;
  /** Whether people of dm3 may join public rooms by writing to them. */
  readonly joinByWriting: boolean;
  readonly maxMembers: number;
}

/** Where something is said, and by whom. */
export interface Place {
  readonly as: string;
  readonly room: string;
}

/** Too many are in the room already. */
class RoomFullError extends DeliveryFailedError {
  constructor({ limit }: { limit: number }) {
    const reason = `This room has ${limit} members in dm3, and more are not taken.`;
    super({ code: 'ROOM_FULL', reason, retryable: false });
  }
}

/** Somebody's id may stand in such a text; the homeserver is asked for no other. */
const HAS_IDS = /[^\s:]:[\w[]/;

/** Neither bot nor ghost may do it; somebody in the room can. */
export class NotInvitedError extends GatewayError {
  constructor({ ghost }: { ghost: string }) {
    const message = `${ghost} cannot join: the room takes only whom somebody invites, and I may not invite. Give me the right to, or invite ${ghost} yourself.`;
    super({ code: 'NOT_INVITED', kind: 'forbidden', message });
  }
}

/** Rooms that several people of dm3 take part in: who is in them, and where their words go. */
export class MatrixPortals {
  constructor(private readonly parts: Parts) {}

  /**
   * Where somebody of dm3 speaks who writes to a room's name. Who is not in a public room joins it by this.
   * @throws DeliveryFailedError NOT_BRIDGED, NOT_A_MEMBER: permanent; HomeserverError
   */
  async forSending(speaker: PortalSpeaker): Promise<Place> {
    const { portal: address, name, identity } = speaker;
    const { db, store, members } = this.parts;
    const portal = await store.byAddress(db, address);
    if (portal?.state !== 'open') throw notBridged();
    const member = await members.find(db, portal, identity);
    if (member?.state === 'joined') return { as: member.ghost, room: portal.roomId };
    if (!(await this.mayJoin(portal, member))) throw notAMember(portal, member);
    const ghost = await this.admit(portal, { name, address: identity, sizeLimit: null });
    return { as: ghost, room: portal.roomId };
  }

  /** The room that a command is for. @throws as `forSending`, for whoever is not in it and does not come in by this */
  async forCommand(speaker: PortalSpeaker, verb: string): Promise<Portal> {
    const portal = await this.of(speaker);
    const member = await this.parts.members.find(this.parts.db, portal, speaker.identity);
    if (member?.state === 'joined') return portal;
    if (!(await this.mayJoin(portal, member))) throw notAMember(portal, member);
    if (verb === 'join') return portal;
    const reason = `You are not in the room ${portal.shown}; "!dm3 join" brings you in.`;
    throw new DeliveryFailedError({ code: 'NOT_A_MEMBER', reason, retryable: false });
  }

  /** Where what was said in a room goes on that was upgraded; null for all other rooms. */
  async successorOf(room: string): Promise<string | null> {
    const portal = await this.parts.store.ofRoom(this.parts.db, room);
    return portal !== null && portal.roomId !== room ? portal.roomId : null;
  }

  /** The same for what brings nobody into a room: reading, reacting, taking back. Null for who is not in it. */
  async forMember({ portal: address, identity }: PortalSpeaker): Promise<Place | null> {
    const { db, store, members } = this.parts;
    const portal = await store.byAddress(db, address);
    const member = portal?.state === 'open' ? await members.find(db, portal, identity) : null;
    return portal && member?.state === 'joined' ? { as: member.ghost, room: portal.roomId } : null;
  }

  /**
   * A member's ghost was refused: while the room moves on, that passes.
   * @returns whether it does
   */
  async isMoving({ as, room }: Place): Promise<boolean> {
    try {
      return (await this.parts.api.state(as, room, 'm.room.tombstone')) !== null;
    } catch (error) {
      if (isRefusal(error, 'M_FORBIDDEN')) return false;
      throw error;
    }
  }

  /** By his own doing. @param member null for somebody who never was one */
  async mayJoin(portal: Portal, member: Member | null): Promise<boolean> {
    if (member?.state === 'asked') return true;
    return member?.state !== 'removed' && this.#isOpen(portal);
  }

  /** The room that a name stands for, whoever asks. @throws DeliveryFailedError NOT_BRIDGED */
  async of({ portal: address }: PortalSpeaker): Promise<Portal> {
    const portal = await this.parts.store.byAddress(this.parts.db, address);
    if (portal?.state !== 'open') throw notBridged();
    return portal;
  }

  /** Who can be mentioned in what somebody says there: members by their names, people of Matrix by their ids. */
  async mentionable(speaker: PortalSpeaker, text: string): Promise<Mentionable[]> {
    const { db, api, bot, members } = this.parts;
    const portal = await this.of(speaker);
    const inDm3 = (await members.joined(db, portal)).map(({ ghost, name }) => ({ id: ghost, names: [name] }));
    if (!HAS_IDS.test(text)) return inDm3;
    const said = text.toLowerCase();
    const here = await api.joinedMembers(bot.userId, portal.roomId);
    const named = here.map((id) => ({ id, names: [id.slice(1).toLowerCase()] }));
    return [...inDm3, ...named.filter(({ names: [name] }) => said.includes(name!))];
  }

  /**
   * The ghost joins, then counts as a member: a crash in between is mended by doing it again.
   * @returns the ghost @throws NotInvitedError; HomeserverError
   */
  async admit(portal: Portal, target: Target, since: string | null = null): Promise<string> {
    const { db, ghosts, members } = this.parts;
    const known = await members.find(db, portal, target.address);
    const name = known?.state === 'joined' ? known.name : target.name;
    await this.checkRoom(portal, known);
    const ghost = await ghosts.ensure(name);
    await this.#supersede(portal, ghost, target);
    await this.enter(portal.roomId, ghost);
    await members.put(db, portal, 'joined', { identity: target.address, name, ghost, target, since });
    return ghost;
  }

  /** @param known whoever is in already takes no place @throws RoomFullError */
  async checkRoom(portal: Portal, known: Member | null): Promise<void> {
    const { db, members, maxMembers: limit } = this.parts;
    if (known?.state === 'joined' || known?.state === 'asked') return;
    if ((await members.in(db, portal, ['joined', 'asked'])).length >= limit) throw new RoomFullError({ limit });
  }

  /** The name was somebody else's: its ghost speaks for the new owner alone. */
  async #supersede(portal: Portal, ghost: string, { address }: Target): Promise<void> {
    const { db, members } = this.parts;
    const former = (await members.in(db, portal, ['joined', 'asked'])).filter(
      (member) => member.ghost === ghost && member.identity !== address,
    );
    for (const member of former) await members.setState(db, member, 'removed');
  }

  /** @throws NotInvitedError; HomeserverError */
  async enter(room: string, ghost: string): Promise<void> {
    const { api, bot } = this.parts;
    try {
      return await api.join(ghost, room);
    } catch (error) {
      if (!isRefusal(error, 'M_FORBIDDEN')) throw error;
    }
    try {
      await api.invite(await bot.ensure(), room, ghost);
      await api.join(ghost, room);
    } catch (error) {
      throw isRefusal(error, 'M_FORBIDDEN') ? new NotInvitedError({ ghost }) : error;
    }
  }

  /** Whoever is not there (any more) has left, too. */
  async depart(room: string, as: string, why: string): Promise<void> {
    await ifAllowed(this.parts.api.leave(as, room, why));
  }

  async #isOpen({ roomId }: Portal): Promise<boolean> {
    const { api, bot, joinByWriting } = this.parts;
    if (!joinByWriting) return false;
    const rules = objectIn({ rules: await api.state(bot.userId, roomId, 'm.room.join_rules') }, 'rules');
    return rules['join_rule'] === 'public';
  }
}

function notBridged(): DeliveryFailedError {
  const reason =
    'This name stands for no Matrix room that is bridged. Somebody in the room can invite the gateway’s bot and write "!dm3 bridge".';
  return new DeliveryFailedError({ code: 'NOT_BRIDGED', reason, retryable: false });
}

function notAMember({ shown }: Portal, member: Member | null): DeliveryFailedError {
  const why = member?.state === 'removed' ? 'You were removed from' : 'You are not in';
  const reason = `${why} the room ${shown}; somebody there can write "!dm3 invite" with your name.`;
  return new DeliveryFailedError({ code: 'NOT_A_MEMBER', reason, retryable: false });
}
