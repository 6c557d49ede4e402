import type { GatewayPort, Target } from '../../../gateway/adapter/adapter.js';
import { killPoint } from '../../../ops/kill-points.js';
import type { Database } from '../../../storage/database.js';
import { parseUserId, roomToForeign } from '../address.js';
import { isRefusal, type MatrixApi } from '../api.js';
import type { MatrixBot } from '../bot.js';
import { textIn } from '../event.js';
import type { MatrixGhosts } from '../ghosts.js';
import type { FanOut } from './fan-out.js';
import type { Member, MemberStore } from './member.store.js';
import type { Portal, PortalStore } from './portal.store.js';
import type { MatrixPortals } from './portals.js';

interface Parts {
  readonly db: Database;
  readonly api: MatrixApi;
  readonly port: GatewayPort;
  readonly bot: MatrixBot;
  readonly ghosts: MatrixGhosts;
  readonly store: PortalStore;
  readonly members: MemberStore;
  readonly portals: MatrixPortals;
  readonly fanOut: FanOut;
  /** Whether those whom somebody brings in are asked first. */
  readonly askMembers: boolean;
}

export const ENCRYPTED_ROOM =
  'This room is encrypted, and this gateway cannot read encrypted messages. Encryption cannot be switched off again; a room without it can be bridged.';

/** What happens to a portal room and its members from its beginning to its end. Everything can be done twice. */
export class PortalLife {
  constructor(private readonly parts: Parts) {}

  /** The portal of a room, open from now on. Its name is fixed the first time. */
  async open(roomId: string): Promise<Portal> {
    const { db, store } = this.parts;
    const portal = (await store.find(db, roomId)) ?? (await this.#make(roomId));
    await store.setState(db, portal, 'open');
    return { ...portal, state: 'open' };
  }

  /** @param by who brought the member in; the message that says so is sent once for `purpose` */
  async welcome(
    portal: Portal,
    target: Target,
    { by, purpose }: { by: string; purpose: string },
  ): Promise<'already' | 'asked' | 'joined'> {
    const { db, members, portals, fanOut, askMembers } = this.parts;
    const known = await members.find(db, portal, target.address);
    if (known?.state === 'joined' && known.since !== purpose) return 'already';
    await portals.checkRoom(portal, known);
    if (askMembers) await this.#ask(portal, target, purpose);
    else await portals.admit(portal, target, purpose);
    killPoint('portal.admitted');
    const text = askMembers ? questionText(portal, by) : welcomeText(portal, by);
    await fanOut.tell(portal, target, `welcome ${purpose}`, text);
    return askMembers ? 'asked' : 'joined';
  }

  /** Somebody in the room, or the member himself, ended it. The row says so last: until then it is done again. */
  async dismiss(
    portal: Portal,
    member: Member,
    { state, why, purpose }: { state: 'left' | 'removed'; why: string; purpose: string },
  ): Promise<void> {
    const { db, members, portals, fanOut } = this.parts;
    await portals.depart(portal.roomId, member.ghost, why);
    await fanOut.tell(portal, member.target, `dismissed ${purpose}`, why);
    killPoint('portal.dismissed');
    await members.setState(db, member, state);
  }

  /** Nobody speaks any more, all leave, then it is closed. A crash in between leaves those who are still to leave. */
  async close(portal: Portal, why: string, purpose: string): Promise<void> {
    const { db, store, members } = this.parts;
    await store.setState(db, portal, 'closing');
    for (const member of await members.in(db, portal, ['joined', 'asked'])) {
      await this.dismiss(portal, member, { state: 'left', why, purpose: `${purpose} ${member.id}` });
    }
    await store.setState(db, portal, 'closed');
  }

  /** Nobody of Matrix is in the room any more. */
  async isDeserted({ roomId }: Portal, isOurs: (userId: string) => boolean): Promise<boolean> {
    const { api, bot } = this.parts;
    try {
      return (await api.joinedMembers(bot.userId, roomId)).every(isOurs);
    } catch (error) {
      if (isRefusal(error, 'M_FORBIDDEN')) return true; // not even the bot
      throw error;
    }
  }

  async #ask(portal: Portal, target: Target, since: string): Promise<void> {
    const { db, members, ghosts } = this.parts;
    const { name, address: identity } = target;
    await members.put(db, portal, 'asked', { identity, name, ghost: await ghosts.ensure(name), target, since });
  }

  async #make(roomId: string): Promise<Portal> {
    const { db, store } = this.parts;
    const alias = await this.#aliasOf(roomId);
    const named = alias === null ? null : await store.add(db, { roomId, address: roomToForeign(alias), shown: alias });
    // The alias stood for another room that was bridged before: that one keeps the name.
    const made = named ?? (await store.add(db, { roomId, address: roomToForeign(roomId), shown: roomId }));
    return made ?? (await store.find(db, roomId))!;
  }

  /** The one the room goes by, if it does lead here: anybody who may set it may write anything into it. */
  async #aliasOf(roomId: string): Promise<string | null> {
    const { api, bot, port } = this.parts;
    const content = await api.state(bot.userId, roomId, 'm.room.canonical_alias');
    const alias = textIn((content ?? {}) as Record<string, unknown>, 'alias');
    if (alias === null || parseUserId(`@${alias.slice(1)}`) === null || !alias.startsWith('#')) return null;
    if (port.aliasOf?.(roomToForeign(alias)) === null) return null;
    return (await api.roomOf(alias)) === roomId ? alias : null;
  }
}

function welcomeText({ shown }: Portal, by: string): string {
  return [
    `${by} has brought you into the Matrix room ${shown}.`,
    'What you write to this name is read by everybody there; what they write comes from it. `!dm3 leave` ends that, `!dm3 help` tells more.',
  ].join('\n\n');
}

function questionText({ shown }: Portal, by: string): string {
  return [
    `${by} asks you into the Matrix room ${shown}.`,
    'Nothing that is said there is sent to you before you join: `!dm3 join` does it, and so does whatever you write to this name, which is read by everybody there. Otherwise leave it be.',
  ].join('\n\n');
}
