import { GatewayError } from '../../../common/errors.js';
import type { Target } from '../../../gateway/adapter/adapter.js';
import { DeliveryFailedError } from '../../../gateway/adapter/errors.js';
import type { Database } from '../../../storage/database.js';
import { isRefusal, type MatrixApi } from '../api.js';
import type { MatrixBot } from '../bot.js';
import { objectIn } from '../event.js';
import type { MatrixGhosts } from '../ghosts.js';
import type { Mentionable } from '../mentions.js';
import type { PortalSpeaker } from '../rendering.js';
import type { Member, MemberState, MemberStore } from './member.store.js';
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
  async forSending({ portal: address, name, identity }: PortalSpeaker): Promise<{ as: string; room: string }> {
    const { db, store, members } = this.parts;
    const portal = await store.byAddress(db, address);
    if (!portal || portal.state === 'closed') throw notBridged();
    const member = await members.find(db, portal, identity);
    if (member?.state === 'joined') return { as: member.ghost, room: portal.roomId };
    if (!(await this.mayJoin(portal, member))) throw notAMember(portal, member);
    const ghost = await this.admit(portal, { name, address: identity, sizeLimit: null });
    return { as: ghost, room: portal.roomId };
  }

  /** By his own doing. @param member null for somebody who never was one */
  async mayJoin(portal: Portal, member: Member | null): Promise<boolean> {
    if (member?.state === 'asked') return true;
    return member?.state !== 'removed' && this.#isOpen(portal);
  }

  /** The room that a name stands for, whoever asks. @throws DeliveryFailedError NOT_BRIDGED */
  async of({ portal: address }: PortalSpeaker): Promise<Portal> {
    const portal = await this.parts.store.byAddress(this.parts.db, address);
    if (!portal || portal.state === 'closed') throw notBridged();
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
  async admit(portal: Portal, target: Target): Promise<string> {
    const { db, ghosts, members } = this.parts;
    const known = await members.find(db, portal, target.address);
    const name = known?.state === 'joined' ? known.name : target.name;
    const ghost = await ghosts.ensure(name);
    await this.enter(portal.roomId, ghost);
    await members.put(db, portal, 'joined', { identity: target.address, name, ghost, target });
    return ghost;
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

  async dismiss({ roomId }: Portal, member: Member, state: MemberState, why: string): Promise<void> {
    const { db, members } = this.parts;
    await this.depart(roomId, member.ghost, why);
    await members.setState(db, member, state);
  }

  /** Whoever is not there (any more) has left, too. */
  async depart(room: string, as: string, why: string): Promise<void> {
    try {
      await this.parts.api.leave(as, room, why);
    } catch (error) {
      if (!isRefusal(error, 'M_FORBIDDEN')) throw error;
    }
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
