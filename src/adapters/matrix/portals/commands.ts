import { GatewayError } from '../../../common/errors.js';
import type { EnsName, ForeignAddress } from '../../../common/ids.js';
import type { GatewayPort, Target } from '../../../gateway/adapter/adapter.js';
import type { Database } from '../../../storage/database.js';
import { parseUserId, toForeign } from '../address.js';
import { ifAllowed, isRefusal, type MatrixApi } from '../api.js';
import type { MatrixBot } from '../bot.js';
import { HomeserverError, isOfAnotherServer } from '../errors.js';
import { objectIn, textIn, type MatrixEvent } from '../event.js';
import { ghostId, isGhostId } from '../ghost-id.js';
import type { MatrixGhosts } from '../ghosts.js';
import type { MatrixLimits } from '../limits.js';
import type { MatrixLinking } from '../linking.js';
import { messageOf } from '../part-id.js';
import type { RoomStore } from '../room.store.js';
import { cleanLine, shortList } from '../text.js';
import type { CommandText } from './command-text.js';
import { fitsAny } from './globs.js';
import type { Member, MemberStore } from './member.store.js';
import { ENCRYPTED_ROOM, type PortalLife } from './portal-life.js';
import type { Portal, PortalStore } from './portal.store.js';
import { rightsIn, type Rights } from './rights.js';

interface Parts {
  readonly db: Database;
  readonly api: MatrixApi;
  readonly port: GatewayPort;
  readonly bot: MatrixBot;
  readonly ghosts: MatrixGhosts;
  readonly store: PortalStore;
  readonly chats: RoomStore;
  readonly members: MemberStore;
  readonly life: PortalLife;
  readonly linking: MatrixLinking;
  readonly serverName: string;
  /** Patterns of the ids of those who may bridge rooms. */
  readonly bridgeBy: readonly string[];
  readonly limits: MatrixLimits;
}

/** One command: who gave it, where it was given, and for which room. */
interface Order {
  readonly event: MatrixEvent;
  /** The room it is about. */
  readonly room: string;
  readonly words: readonly string[];
}

/** Those who were named, and lines about the others. */
interface People {
  readonly found: readonly Target[];
  readonly lines: string[];
}

/** A person asked for something that is not to be had; the sentence is the answer. */
export class CommandRefusedError extends GatewayError {
  constructor(reason: string) {
    super({ code: 'COMMAND_REFUSED', kind: 'forbidden', message: reason });
  }
}

export const HELP = [
  'I connect Matrix rooms with dm3, whose people go by ENS names such as bob.eth.',
  '',
  '- `!dm3 bridge bob.eth carol.eth`: bridge this room, and let these people take part in it',
  '- `!dm3 invite bob.eth`: let one more take part',
  '- `!dm3 remove bob.eth`: let somebody take part no longer',
  '- `!dm3 members`: who of dm3 takes part, and how the room is called there',
  '- `!dm3 unbridge`: end it; nothing crosses any more',
  '- `!dm3 whois bob.eth` or `!dm3 whois @alice:example.org`: who that is on the other side',
  '- `!dm3 link bob.eth`: prove that you are the owner of that ENS name; `!dm3 unlink` takes it back',
  '',
  'In a chat with me alone, name the room first: `!dm3 bridge #room:example.org bob.eth`.',
].join('\n');

/** What people in Matrix rooms ask of the gateway. The answer is a notice of the bot, once for each command. */
export class RoomCommands {
  readonly #verbs: Readonly<Record<string, (order: Order) => Promise<string>>> = {
    help: async () => HELP,
    bridge: (order) => this.#bridge(order),
    unbridge: (order) => this.#unbridge(order),
    invite: (order) => this.#invite(order),
    remove: (order) => this.#remove(order),
    members: (order) => this.#members(order),
    whois: (order) => this.#whois(order),
    link: ({ event, words }) => this.parts.linking.answer(event.sender, words),
    unlink: ({ event }) => this.parts.linking.unlink(event.sender),
  };

  constructor(private readonly parts: Parts) {}

  /** @param about what the answer answers; undefined where it was said in another room */
  async handle(event: MatrixEvent, command: CommandText, about: string | undefined): Promise<void> {
    const { bot } = this.parts;
    const answer = await this.answer(event, command);
    await bot.say(event.room_id, `command ${event.event_id}`, answer, about);
  }

  /** @throws HomeserverError that may pass, and what is no named error: the command is carried out again */
  async answer(event: MatrixEvent, { verb, words }: CommandText): Promise<string> {
    const run = Object.hasOwn(this.#verbs, verb) ? this.#verbs[verb] : undefined;
    if (!run) return `I do not know "${cleanLine(verb, 40)}". \`!dm3 help\` lists what I know.`;
    try {
      const order = ABOUT_ROOMS.has(verb) ? await this.#order(event, words) : { event, room: event.room_id, words };
      return await run(order);
    } catch (error) {
      if (!(error instanceof GatewayError) || (error instanceof HomeserverError && error.retryable)) throw error;
      return error.retryable ? `${error.message} Please try again in a while.` : error.message;
    }
  }

  async #order(event: MatrixEvent, words: readonly string[]): Promise<Order> {
    const [first = '', ...rest] = words;
    if (/^![^\s]+$/.test(first)) return { event, room: first, words: rest };
    if (!/^#[^\s:]+:[^\s]+$/.test(first)) return { event, room: event.room_id, words };
    const room = await this.#roomOf(first);
    if (room === null) throw new CommandRefusedError(`There is no room ${first}.`);
    return { event, room, words: rest };
  }

  async #roomOf(alias: string): Promise<string | null> {
    try {
      return await this.parts.api.roomOf(alias);
    } catch (error) {
      if (isOfAnotherServer(error)) return null;
      throw error;
    }
  }

  async #bridge(order: Order): Promise<string> {
    const { db, store, bridgeBy } = this.parts;
    const { event, room, words } = order;
    if (!fitsAny(bridgeBy, event.sender)) throw new CommandRefusedError(notAllowed(event.sender));
    await this.#checkIsNoChat(room);
    const people = await this.#lookUp(words);
    const known = await store.find(db, room);
    if (words.length > 0 && people.found.length === 0 && known?.state !== 'open') {
      return ['The room is not bridged, since none of them can be reached:', '', ...people.lines].join('\n');
    }
    return this.#visiting(order, () => this.#bridgeWith(order, people));
  }

  async #bridgeWith(order: Order, { found, lines }: People): Promise<string> {
    const { api, bot, life, port } = this.parts;
    const { event, room } = order;
    const rights = await this.#rights(order);
    if (!rights.mayRule) throw new CommandRefusedError(mayNot('change the settings of the room'));
    if (await api.state(bot.userId, room, 'm.room.encryption')) throw new CommandRefusedError(ENCRYPTED_ROOM);
    const portal = await life.open(room);
    for (const target of found) lines.push(await this.#welcome(portal, target, event));
    const name = port.aliasOf?.(portal.address) ?? portal.shown;
    const intro = `This room is bridged: people of dm3 read what is said here from now on. There it is called \`${name}\`.`;
    return [intro, '', ...lines].join('\n').trim();
  }

  async #unbridge(order: Order): Promise<string> {
    const portal = await this.parts.store.find(this.parts.db, order.room);
    if (!portal) throw new CommandRefusedError(NOT_BRIDGED);
    return this.#visiting(order, () => this.#unbridgeAs(order, portal));
  }

  async #unbridgeAs(order: Order, portal: Portal): Promise<string> {
    const rights = await this.#rights(order);
    if (!rights.mayRule) throw new CommandRefusedError(mayNot('change the settings of the room'));
    const why = `The room ${portal.shown} is not bridged any more.`;
    await this.parts.life.close(portal, why, order.event.event_id);
    return 'This room is not bridged any more: nothing that is said here leaves it. `!dm3 bridge` begins anew.';
  }

  async #invite(order: Order): Promise<string> {
    const portal = await this.#portal(order);
    if (order.words.length === 0) throw new CommandRefusedError('Whom? For example: `!dm3 invite bob.eth`.');
    const rights = await this.#visiting(order, () => this.#rights(order));
    if (!rights.mayInvite) throw new CommandRefusedError(mayNot('invite people'));
    const { found, lines } = await this.#lookUp(order.words);
    for (const target of found) lines.push(await this.#welcome(portal, target, order.event));
    return lines.join('\n');
  }

  async #remove(order: Order): Promise<string> {
    const { life } = this.parts;
    const portal = await this.#portal(order);
    const rights = await this.#visiting(order, () => this.#rights(order));
    if (!rights.mayRemove) throw new CommandRefusedError(mayNot('remove people'));
    const member = await this.#memberNamed(portal, order.words[0] ?? '');
    const why = `${order.event.sender} has removed you from the room ${portal.shown}.`;
    await life.dismiss(portal, member, { state: 'removed', why, purpose: order.event.event_id });
    return `${member.name} takes part no longer.`;
  }

  async #members(order: Order): Promise<string> {
    const portal = await this.#portal(order);
    await this.#visiting(order, () => this.#rights(order));
    return membersText(await this.parts.members.joined(this.parts.db, portal), this.#nameOf(portal));
  }

  async #whois({ words: [who = ''], event }: Order): Promise<string> {
    const { serverName, ghosts } = this.parts;
    if (who === '') throw new CommandRefusedError('Who? For example: `!dm3 whois bob.eth`.');
    if (isGhostId(who, serverName)) return `${who} is ${(await ghosts.nameOf(who)) ?? 'nobody'} in dm3.`;
    return parseUserId(who) ? this.#whoisPerson(who) : this.#whoisName(who, event);
  }

  #whoisPerson(who: string): string {
    const name = this.parts.port.aliasOf?.(toForeign(who)) ?? null;
    return name === null ? `${who} has no name in dm3.` : `${who} is called \`${name}\` in dm3.`;
  }

  async #whoisName(who: string, event: MatrixEvent): Promise<string> {
    const { port, db, store, members, serverName } = this.parts;
    const target = await port.lookup(who, toForeign(event.sender));
    const portal = await store.find(db, event.room_id);
    const member = portal?.state === 'open' ? await members.find(db, portal, target.address) : null;
    const here = member?.state === 'joined' ? ' and takes part in this room' : '';
    return `${target.name} belongs to ${target.address}, is ${ghostId(target.name, serverName)} on Matrix${here}.`;
  }

  /** @throws CommandRefusedError for who is not in the room, and where the bot is not */
  async #rights({ event, room }: Order): Promise<Rights> {
    const { api, bot } = this.parts;
    const as = await bot.ensure();
    const member = (await api.member(as, room, event.sender)) as { membership?: unknown } | null;
    if (member?.membership !== 'join') throw new CommandRefusedError(NOT_IN_IT);
    return rightsIn(api, { as, room, user: event.sender });
  }

  /**
   * In a room that is named from elsewhere: most of what a room is can be seen by its members alone. Where the command
   * is refused, and has brought the bot in, it leaves again.
   */
  async #visiting<T>(order: Order, work: () => Promise<T>): Promise<T> {
    const { event, room } = order;
    if (room === event.room_id) return work();
    await this.#enter(order);
    try {
      return await work();
    } catch (error) {
      if (error instanceof CommandRefusedError) await this.#leaveAgain(order);
      throw error;
    }
  }

  /** The reason says who asked for it, and which command: also after a crash it is clear what brought the bot in. */
  async #enter(order: Order): Promise<void> {
    const { api, bot } = this.parts;
    const { event, room } = order;
    const as = await bot.ensure();
    if (await this.#isKeptOut(as, order)) throw new CommandRefusedError(NOT_IN_IT);
    try {
      await api.join(as, room, undefined, reasonOf(event));
    } catch (error) {
      if (!isRefusal(error, 'M_FORBIDDEN') && !isRefusal(error, 'M_NOT_FOUND')) throw error;
      throw new CommandRefusedError(`I am not in that room. Invite ${as} there first.`);
    }
  }

  /** Some rooms show from outside who is in them; to one who has left, a room shows how it was then. */
  async #isKeptOut(as: string, { event, room }: Order): Promise<boolean> {
    const own = await this.#membership(as, room, as);
    if (own !== null && own !== 'join') return false;
    return (await this.#membership(as, room, event.sender)) !== 'join';
  }

  /** Null for who never was in the room; `hidden` where it does not show. */
  async #membership(as: string, room: string, user: string): Promise<string | null> {
    let member: unknown = null;
    const looking = this.parts.api.member(as, room, user).then((found) => (member = found));
    return (await ifAllowed(looking)) ? textIn(objectIn({ member }, 'member'), 'membership') : 'hidden';
  }

  async #leaveAgain({ event, room }: Order): Promise<void> {
    const { db, api, bot, store } = this.parts;
    const own = (await api.member(bot.userId, room, bot.userId)) as { reason?: unknown } | null;
    const isVisit = own?.reason === reasonOf(event) && (await store.find(db, room))?.state !== 'open';
    if (isVisit) await ifAllowed(api.leave(bot.userId, room, 'What I was asked for is not to be done.'));
  }

  async #checkIsNoChat(room: string): Promise<void> {
    const { db, chats } = this.parts;
    const chat = await chats.find(db, room);
    if (chat && chat.state !== 'closed' && chat.state !== 'declined') throw new CommandRefusedError(A_CHAT);
  }

  async #portal({ room }: Order): Promise<Portal> {
    const portal = await this.parts.store.find(this.parts.db, room);
    if (portal?.state === 'open') return portal;
    throw new CommandRefusedError(NOT_BRIDGED);
  }

  async #lookUp(names: readonly string[]): Promise<People> {
    if (names.length > MAX_NAMES) throw new CommandRefusedError(`Please name ${MAX_NAMES} people at most at a time.`);
    const found: Target[] = [];
    const lines: string[] = [];
    for (const name of names) {
      try {
        found.push(await this.parts.port.lookup(name));
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        lines.push(`- ${cleanLine(name, 255)}: ${error.message}`);
      }
    }
    return { found, lines };
  }

  /** @returns the line that says what became of it */
  async #welcome(portal: Portal, target: Target, { sender, event_id }: MatrixEvent): Promise<string> {
    try {
      await this.parts.limits.invitation(sender, `${event_id} ${target.address}`);
      const outcome = await this.parts.life.welcome(portal, target, { by: sender, purpose: event_id });
      return `- ${target.name} ${OUTCOMES[outcome]}`;
    } catch (error) {
      if (!(error instanceof GatewayError) || error.retryable) throw error;
      return `- ${target.name}: ${error.message}`;
    }
  }

  async #memberNamed(portal: Portal, text: string): Promise<Member> {
    const { db, members, serverName } = this.parts;
    const present = await members.in(db, portal, ['joined', 'asked']);
    const name = text.toLowerCase();
    const ids = [text, ghostId(name as EnsName, serverName)];
    const found = present.find((each) => each.name === name || ids.includes(each.ghost));
    if (found) return found;
    throw new CommandRefusedError(text === '' ? 'Whom? For example: `!dm3 remove bob.eth`.' : notHere(text));
  }

  #nameOf({ address, shown }: { address: ForeignAddress; shown: string }): string {
    return this.parts.port.aliasOf?.(address) ?? shown;
  }
}

const NOT_IN_IT = 'Only who is in the room can do that.';
const A_CHAT = 'This room is a chat of two, and what is said in it is for these two only.';
const NOT_BRIDGED = 'This room is not bridged. `!dm3 bridge bob.eth` does it.';

const OUTCOMES = { already: 'takes part already.', asked: 'is asked to take part.', joined: 'takes part.' } as const;
/** Each is looked up in ENS, and gets a message. */
const MAX_NAMES = 20;
/** Their first word may say which room is meant. */
const ABOUT_ROOMS = new Set(['bridge', 'unbridge', 'invite', 'remove', 'members']);

export function membersText(members: readonly Member[], name: string): string {
  const lines = members.map((member) => `- ${member.name}`);
  const head = members.length === 0 ? 'Nobody of dm3 takes part yet.' : `Of dm3 there take part (${members.length}):`;
  return [head, '', shortList(lines), '', `In dm3 this room is called \`${name}\`.`].join('\n');
}

const reasonOf = ({ sender, event_id }: MatrixEvent) =>
  `Asked for by ${sender} (${messageOf(`visit ${event_id}`).slice(0, 8)})`;
const mayNot = (what: string) => `To do that you need the right to ${what}.`;
const notAllowed = (who: string) => `${who} may not bridge rooms here; ask the operator of this gateway.`;
const notHere = (who: string) =>
  `${cleanLine(who, 255)} does not take part in this room. \`!dm3 members\` lists who does.`;
