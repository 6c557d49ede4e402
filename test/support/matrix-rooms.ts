import { expect } from '@jest/globals';
import type { RealClient, Received } from './dm3-lib.js';
import type { MatrixUser, RoomEvent } from './matrix-user.js';

export const BOT = '@dm3bot:hs.test';
export const CAROL = '@dm3_carol.eth:hs.test';
export const DAVE = '@dm3_dave.eth:hs.test';

export interface NamedRoom {
  readonly room: string;
  readonly alias: string;
  /** In dm3. */
  readonly name: string;
}

let rooms = 0;

/** A public room with an alias, and nobody else in it. */
export async function publicRoom(owner: MatrixUser, more: Readonly<Record<string, unknown>> = {}): Promise<NamedRoom> {
  const local = `room${++rooms}`;
  const settings = { preset: 'public_chat', is_direct: false, room_alias_name: local, ...more };
  const room = await owner.createRoom([], settings);
  return { room, alias: `#${local}:hs.test`, name: `_room.${local}._at.hs.test.matrix.gateway.eth` };
}

/** The same with the bot and these people of dm3 in it. */
export async function bridgedRoom(
  owner: MatrixUser,
  people: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<NamedRoom> {
  const made = await publicRoom(owner, more);
  await owner.invite(made.room, BOT);
  await owner.untilMember(made.room, BOT, 'join');
  const asked = await owner.say(made.room, `!dm3 bridge ${people}`);
  expect((await answerTo(owner, made.room, asked)).content.body).toContain(`called \`${made.name}\``);
  return made;
}

/** What the bot says to an event. */
export function answerTo(user: MatrixUser, room: string, asked: string): Promise<RoomEvent> {
  return user.awaitEvent(room, `an answer to ${asked}`, ({ sender, content }) => {
    const relation = content['m.relates_to'] as { 'm.in_reply_to'?: { event_id: string } } | undefined;
    return sender === BOT && relation?.['m.in_reply_to']?.event_id === asked;
  });
}

export async function fromRoom(person: RealClient, name: string): Promise<Received[]> {
  return (await person.incoming()).filter(({ message }) => message.metadata.from === name);
}
