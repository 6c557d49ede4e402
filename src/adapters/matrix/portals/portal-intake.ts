import { GatewayError } from '../../../common/errors.js';
import type { GatewayPort, Target } from '../../../gateway/adapter/adapter.js';
import type { Database } from '../../../storage/database.js';
import type { MatrixBot } from '../bot.js';
import type { MatrixConfig } from '../config.js';
import { toForeign } from '../address.js';
import { aboutIn, isEncryptionState, RECEIPT, type MatrixEvent } from '../event.js';
import type { EventStore } from '../event.store.js';
import { fromMatrix, type MatrixMessage } from '../from-matrix.js';
import { isGhostId } from '../ghost-id.js';
import type { MatrixGhosts } from '../ghosts.js';
import { commandIn, MEMBER_COMMAND, readMemberCommand, type CommandText } from './command-text.js';
import { membersText, type RoomCommands } from './commands.js';
import type { FanOut } from './fan-out.js';
import { FOLLOW_UP, readFollowUp, type FollowUp } from './follow-up.js';
import type { Member, MemberStore } from './member.store.js';
import type { PortalLife } from './portal-life.js';
import type { PortalMembership } from './portal-membership.js';
import type { Portal, PortalStore } from './portal.store.js';
import type { MatrixPortals } from './portals.js';
import type { Upgrades } from './upgrades.js';

interface Parts {
  readonly db: Database;
  readonly port: GatewayPort;
  readonly config: MatrixConfig;
  readonly bot: MatrixBot;
  readonly ghosts: MatrixGhosts;
  readonly events: EventStore;
  readonly store: PortalStore;
  readonly members: MemberStore;
  readonly portals: MatrixPortals;
  readonly life: PortalLife;
  readonly fanOut: FanOut;
  readonly upgrades: Upgrades;
  readonly membership: PortalMembership;
  readonly commands: RoomCommands;
  readonly shortName: (id: string) => string;
}

const MEMBER_HELP = [
  'What you write to this name is read by everybody in the room. Besides that:',
  '',
  '- `!dm3 members`: who of dm3 takes part',
  '- `!dm3 join`: take part, where the room lets you or somebody has asked you',
  '- `!dm3 leave`: take part no longer',
].join('\n');
const ENCRYPTED =
  'This room is encrypted now, and this gateway cannot read encrypted messages: the bridge has ended, and nothing that is said here leaves it.';

/** Decides about events in rooms of several. */
export class PortalIntake {
  constructor(private readonly parts: Parts) {}

  /** @returns false if the event is a matter of direct chats */
  async handle(event: MatrixEvent): Promise<boolean> {
    const { db, store, membership, upgrades } = this.parts;
    if (event.type === FOLLOW_UP) return this.#followUp(event).then(() => true);
    if (event.type === 'm.room.member') return membership.handle(event, (missed) => this.catchUp(missed));
    if (await upgrades.begin(event)) return true;
    const missed = await upgrades.follow(event);
    if (missed) await this.catchUp(missed);
    if (missed) return true;
    const portal = await store.ofRoom(db, event.room_id);
    if (!portal || portal.state === 'closed') return false;
    await this.#inPortal(portal, event);
    return true;
  }

  /** What was said in a room before the bot came: in this room's turn, so before all that comes later. */
  async catchUp(missed: readonly MatrixEvent[]): Promise<void> {
    for (const event of missed) await this.handle(event);
  }

  /** A command in a room that is no portal, or not any more. @returns false if it is none */
  async handleCommand(event: MatrixEvent): Promise<boolean> {
    const command = commandIn(event);
    if (command) await this.parts.commands.handle(event, command, event.event_id);
    return command !== null;
  }

  /** The answer to a command that was given elsewhere. */
  answer(event: MatrixEvent, command: CommandText): Promise<string> {
    return this.parts.commands.answer(event, command);
  }

  /** Tells the author once, in the room. @returns false if the event belongs to no portal */
  async fail(event: MatrixEvent, error: unknown): Promise<boolean> {
    const { db, store, bot } = this.parts;
    if (event.type === FOLLOW_UP) return this.#giveUp(event, error).then(() => true);
    const portal = await store.ofRoom(db, event.room_id);
    if (!portal || portal.state === 'closed') return false;
    const named = error instanceof GatewayError;
    const why = named ? `${error.message} (${error.code})` : 'An unexpected fault on our side. (UNEXPECTED)';
    if (event.type === MEMBER_COMMAND) await this.#tellMember(portal, event, `That could not be done. ${why}`);
    if (event.type !== 'm.room.message' && event.type !== 'm.sticker') return true;
    await bot.say(
      portal.roomId,
      `failed ${event.event_id}`,
      `This did not reach dm3. ${why}`,
      aboutIn(portal.roomId, event),
    );
    return true;
  }

  /** What waited in a room that was upgraded meanwhile is as good as said in the one that follows. */
  async #inPortal(portal: Portal, event: MatrixEvent): Promise<void> {
    if (event.type === MEMBER_COMMAND) return this.#fromMember(portal, event);
    if (isEncryptionState(event) && event.room_id !== portal.roomId) return undefined;
    if (isEncryptionState(event)) return this.#encrypted(portal, event);
    if (event.type === 'm.room.encrypted') return undefined;
    const isOfGhost = isGhostId(event.sender, this.parts.config.serverName);
    const command = isOfGhost ? null : commandIn(event);
    if (command)
      return this.parts.commands.handle({ ...event, room_id: portal.roomId }, command, aboutIn(portal.roomId, event));
    return this.#said(portal, event, isOfGhost);
  }

  async #said(portal: Portal, event: MatrixEvent, isOfGhost: boolean): Promise<void> {
    const { db, events, fanOut, shortName } = this.parts;
    const said = fromMatrix(event, shortName);
    if (!said || !(await this.#isPassedOn(said, event, isOfGhost))) return;
    // First: whatever becomes of it, its author may change it.
    if (event.type !== RECEIPT && !isOfGhost) await events.addReceived(db, event.event_id, event.sender);
    await fanOut.pass(portal, { event, said, author: await this.#authorOf(event.sender) });
  }

  /** What a member could not get in the room's turn. Who takes part no longer gets it no more. */
  async #followUp(order: MatrixEvent): Promise<void> {
    const { fanOut, shortName } = this.parts;
    const { portal, member, event, word } = await this.#whose(order);
    if (portal && word) return fanOut.tellNow(portal, word);
    const said = event && fromMatrix(event, shortName);
    if (portal?.state !== 'open' || member?.state !== 'joined' || !said) return;
    await fanOut.passTo(portal, { event, said, author: await this.#authorOf(event.sender) }, member);
  }

  async #giveUp(order: MatrixEvent, error: unknown): Promise<void> {
    const { portal, member, event } = await this.#whose(order);
    if (portal?.state === 'open' && member && event) await this.parts.fanOut.giveUp(portal, event, member, error);
  }

  async #whose(order: MatrixEvent): Promise<FollowUp & { portal: Portal | null; member: Member | null }> {
    const { db, store, members } = this.parts;
    const what = readFollowUp(order);
    const portal = await store.byId(db, what.portalId);
    return { ...what, portal, member: portal && (await members.find(db, portal, what.identity)) };
  }

  /** Notices are for those in the room: of ours none crosses. */
  async #isPassedOn(
    { type, automatic, about }: MatrixMessage,
    { sender }: MatrixEvent,
    isOfGhost: boolean,
  ): Promise<boolean> {
    const { config, db, events } = this.parts;
    if (automatic && (isOfGhost || !config.bridgeNotices)) return false;
    if (type === 'read-opened') return config.readReceipts && !isOfGhost;
    if (type !== 'edit' && type !== 'delete') return true;
    const own = await events.isBy(db, about[0]!, sender);
    return type === 'edit' ? own !== false : own === true;
  }

  /** By the name in dm3 where there is one: his own, or the one that he is linked with. */
  async #authorOf(sender: string): Promise<string> {
    const { ghosts, config, port } = this.parts;
    if (isGhostId(sender, config.serverName)) return (await ghosts.nameOf(sender)) ?? sender;
    try {
      return (await port.links?.of(toForeign(sender))) ?? sender;
    } catch (error) {
      if (error instanceof GatewayError && error.retryable) return sender; // nobody can tell whether the link holds
      throw error;
    }
  }

  /** Once: the bridge has ended by then. */
  async #encrypted(portal: Portal, { event_id }: MatrixEvent): Promise<void> {
    const { bot, life } = this.parts;
    await bot.say(portal.roomId, `encrypted ${event_id}`, ENCRYPTED);
    await life.close(portal, `The room ${portal.shown} is encrypted now, so the bridge to it has ended.`, event_id);
  }

  async #fromMember(portal: Portal, event: MatrixEvent): Promise<void> {
    const { db, members, fanOut } = this.parts;
    const { name, identity, command } = readMemberCommand(event);
    const member = await members.find(db, portal, identity);
    if (member?.state === 'joined' && command.verb === 'leave') {
      const why = `You have left the room ${portal.shown}.`;
      return this.parts.life.dismiss(portal, member, { state: 'left', why, purpose: event.event_id });
    }
    const target = member?.target ?? { name, address: identity, sizeLimit: null };
    const answer = command.verb === 'join' ? await this.#join(portal, member, target) : null;
    const text = answer ?? (await this.#answer(portal, command.verb, member?.state === 'joined'));
    await fanOut.tell(portal, target, event.event_id, text);
  }

  async #tellMember(portal: Portal, event: MatrixEvent, text: string): Promise<void> {
    const { name, identity } = readMemberCommand(event);
    await this.parts.fanOut.tell(
      portal,
      { name, address: identity, sizeLimit: null },
      `failed ${event.event_id}`,
      text,
    );
  }

  async #join(portal: Portal, member: Member | null, target: Target): Promise<string> {
    const { portals } = this.parts;
    const hasJoined = member?.state === 'joined';
    if (!hasJoined && !(await portals.mayJoin(portal, member))) {
      return `You cannot join the room ${portal.shown} by yourself; somebody there can write "!dm3 invite" with your name.`;
    }
    if (!hasJoined) await portals.admit(portal, target);
    return `You take part in the room ${portal.shown}.`;
  }

  async #answer(portal: Portal, verb: string, isMember: boolean): Promise<string> {
    const { db, members, port } = this.parts;
    if (verb === 'leave') return `You are not in the room ${portal.shown}.`;
    if (verb !== 'members' || !isMember) return MEMBER_HELP;
    return membersText(await members.joined(db, portal), port.aliasOf?.(portal.address) ?? portal.shown);
  }
}
