import { GatewayError } from '../../../common/errors.js';
import type { GatewayPort } from '../../../gateway/adapter/adapter.js';
import type { Database } from '../../../storage/database.js';
import { isRefusal, type MatrixApi } from '../api.js';
import type { MatrixBot } from '../bot.js';
import { HomeserverError } from '../errors.js';
import { textIn, type MatrixEvent } from '../event.js';
import { isGhostId } from '../ghost-id.js';
import type { MatrixGhosts } from '../ghosts.js';
import { HELP } from './commands.js';
import type { MemberStore } from './member.store.js';
import { ENCRYPTED_ROOM, type PortalLife } from './portal-life.js';
import type { Portal, PortalStore } from './portal.store.js';
import type { MatrixPortals } from './portals.js';
import type { Upgrades } from './upgrades.js';

interface Parts {
  readonly db: Database;
  readonly api: MatrixApi;
  readonly port: GatewayPort;
  readonly bot: MatrixBot;
  readonly ghosts: MatrixGhosts;
  readonly store: PortalStore;
  readonly members: MemberStore;
  readonly portals: MatrixPortals;
  readonly life: PortalLife;
  readonly upgrades: Upgrades;
  readonly serverName: string;
  readonly isOurs: (userId: string) => boolean;
}

/** What is done with what was said before the bot came. */
type CatchUp = (missed: readonly MatrixEvent[]) => Promise<void>;

/** Who comes to portal rooms and goes: the bot, the ghosts of members, and the last person. */
export class PortalMembership {
  constructor(private readonly parts: Parts) {}

  /** @returns false if the event is about neither the bot nor a portal */
  async handle(event: MatrixEvent, catchUp: CatchUp): Promise<boolean> {
    const { db, store, bot, serverName, isOurs } = this.parts;
    const subject = event.state_key ?? '';
    const membership = textIn(event.content, 'membership');
    const isGone = membership === 'leave' || membership === 'ban';
    if (subject === bot.userId && membership === 'invite') return this.#invited(event, catchUp);
    const portal = await store.find(db, event.room_id);
    if (!portal || portal.state === 'closed') return subject === bot.userId;
    if (subject === bot.userId && isGone) await this.#botRemoved(portal, event);
    else if (isGhostId(subject, serverName) && membership === 'invite')
      await this.#ghostInvited(portal, event, subject);
    else if (isGhostId(subject, serverName) && isGone) await this.#ghostRemoved(portal, event, subject);
    else if (isGone && (await this.parts.life.isDeserted(portal, isOurs))) await this.#deserted(portal, event);
    return true;
  }

  async #invited(event: MatrixEvent, catchUp: CatchUp): Promise<boolean> {
    const { api, bot, upgrades } = this.parts;
    const as = await bot.ensure();
    try {
      await api.join(as, event.room_id);
    } catch (error) {
      if (isRefusal(error, 'M_FORBIDDEN')) return true; // the invitation was taken back
      throw error;
    }
    const missed = await upgrades.arrive(event);
    if (missed) {
      await catchUp(missed);
      return true;
    }
    const isEncrypted = (await api.state(as, event.room_id, 'm.room.encryption')) !== null;
    await bot.say(event.room_id, `hello ${event.event_id}`, isEncrypted ? ENCRYPTED_ROOM : HELP);
    return true;
  }

  /** Without it there is nobody to ask for anything: the bridge ends. */
  async #botRemoved(portal: Portal, { sender, event_id }: MatrixEvent): Promise<void> {
    await this.parts.life.close(portal, `${sender} has ended the bridge to the room ${portal.shown}.`, event_id);
  }

  async #deserted(portal: Portal, { event_id }: MatrixEvent): Promise<void> {
    await this.parts.life.close(portal, `Nobody is in the room ${portal.shown} any more.`, event_id);
  }

  /** By hand, where others write `!dm3 invite`: whoever can is allowed to. */
  async #ghostInvited(portal: Portal, event: MatrixEvent, ghost: string): Promise<void> {
    const { ghosts, port, life, bot } = this.parts;
    const name = await ghosts.nameOf(ghost);
    try {
      if (name === null) throw new NobodyError({ ghost });
      await life.welcome(portal, await port.lookup(name), { by: event.sender, purpose: event.event_id });
    } catch (error) {
      if (!(error instanceof GatewayError) || error instanceof HomeserverError) throw error;
      const again = error.retryable ? ' Please invite it again in a while.' : '';
      const text = `${ghost} cannot take part. ${error.message}${again}`;
      await bot.say(event.room_id, `invited ${event.event_id}`, text);
      await this.parts.portals.depart(event.room_id, ghost, error.message);
    }
  }

  async #ghostRemoved(portal: Portal, event: MatrixEvent, ghost: string): Promise<void> {
    const { db, members, life } = this.parts;
    const joined = await members.joined(db, portal);
    const member = joined.find((each) => each.ghost === ghost);
    if (!member) return;
    const why = `${event.sender} has removed you from the room ${portal.shown}.`;
    await life.dismiss(portal, member, { state: 'removed', why, purpose: event.event_id });
  }
}

class NobodyError extends GatewayError {
  constructor({ ghost }: { ghost: string }) {
    super({ code: 'NAME_NOT_FOUND', kind: 'not-found', message: `${ghost} stands for no ENS name.` });
  }
}
