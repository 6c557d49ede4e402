import { z } from 'zod';
import type { EnsName, EthAddress } from '../../../common/ids.js';
import { objectIn, textIn, type MatrixEvent } from '../event.js';
import { withoutReplyFallback } from '../html.js';
import { FOLLOW_UP } from './follow-up.js';

/** A command, as somebody wrote it. */
export interface CommandText {
  /** Lower-case; `help` where nothing follows. */
  readonly verb: string;
  readonly words: readonly string[];
}

const COMMAND = /^\s*!dm3(?:\s+(.*))?$/is;
const MAX_LENGTH = 4_000;
/** The type of what a member in dm3 writes to the room and means for the gateway. Homeservers bring none of it. */
export const MEMBER_COMMAND = 'network.dm3.command';
/** The same for what is to be done in the turn of a room that a portal moves to. */
export const FOLLOW = 'network.dm3.follow';

/** Types of our own: nobody else gives such an order. */
export function isOurOrder(type: string): boolean {
  return type === MEMBER_COMMAND || type === FOLLOW || type === FOLLOW_UP;
}

export function isCommandText(body: string): boolean {
  return readCommand(body) !== null;
}

/** Null for what is no command. */
export function readCommand(body: string): CommandText | null {
  const match = COMMAND.exec(body.trimStart().slice(0, MAX_LENGTH));
  if (!match) return null;
  const [verb = 'help', ...words] = (match[1] ?? '').split(/\s+/).filter(Boolean);
  return { verb: verb.toLowerCase(), words };
}

/** What somebody says to the gateway, also by changing what he said before; null for all else. */
export function commandIn({ type, content, state_key }: MatrixEvent): CommandText | null {
  const said = 'm.new_content' in content ? objectIn(content, 'm.new_content') : content;
  if (type !== 'm.room.message' || state_key !== undefined || said['msgtype'] !== 'm.text') return null;
  return readCommand(withoutReplyFallback(textIn(said, 'body') ?? ''));
}

const memberCommandSchema = z.object({ name: z.string(), identity: z.string(), body: z.string() });

export interface MemberCommand {
  readonly name: EnsName;
  readonly identity: EthAddress;
  readonly command: CommandText;
}

export function memberCommand(said: {
  roomId: string;
  message: string;
  name: EnsName;
  identity: EthAddress;
  body: string;
}): MatrixEvent {
  const { roomId, message, name, identity, body } = said;
  const content = { name, identity, body: body.trimStart().slice(0, MAX_LENGTH) };
  return { type: MEMBER_COMMAND, event_id: `${MEMBER_COMMAND} ${message}`, room_id: roomId, sender: name, content };
}

/** Reads only what `memberCommand` wrote. */
export function readMemberCommand({ content }: MatrixEvent): MemberCommand {
  const { name, identity, body } = memberCommandSchema.parse(content);
  const command = readCommand(body) ?? { verb: 'help', words: [] };
  return { name: name as EnsName, identity: identity as EthAddress, command };
}
