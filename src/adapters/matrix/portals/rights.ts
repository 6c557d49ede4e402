import { z } from 'zod';
import type { MatrixApi } from '../api.js';

const level = z.union([
  z.number(),
  z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number),
]);
const levels = z.object({
  users: z.record(z.string(), level).default({}),
  users_default: level.default(0),
  state_default: level.default(50),
  invite: level.default(0),
  kick: level.default(50),
});
const creation = z.object({
  sender: z.string(),
  content: z.object({ room_version: z.string().default('1'), additional_creators: z.array(z.string()).default([]) }),
});

/** What somebody may do in a room (Matrix: m.room.power_levels). */
export interface Rights {
  /** Change how the room is set up: also bridge it. */
  readonly mayRule: boolean;
  readonly mayInvite: boolean;
  readonly mayRemove: boolean;
}

/** From room version 12 on, whoever made the room stands above all levels. */
const CREATORS_RULE_SINCE = 12;

/** @param as who of ours sees the room @throws HomeserverError */
export async function rightsIn(
  api: MatrixApi,
  { as, room, user }: Record<'as' | 'room' | 'user', string>,
): Promise<Rights> {
  const created = creation.parse(await api.stateEvent(as, room, 'm.room.create'));
  const state = await api.state(as, room, 'm.room.power_levels');
  return rightsOf(user, created, state);
}

/** @param state content of `m.room.power_levels`; null where the room has none: then its maker alone rules */
export function rightsOf(user: string, created: z.output<typeof creation>, state: unknown): Rights {
  const { sender, content } = created;
  const isMaker = user === sender || content.additional_creators.includes(user);
  if (isMaker && Number(content.room_version) >= CREATORS_RULE_SINCE) return ALL;
  if (state === null) return user === sender ? ALL : NONE;
  const { data } = levels.safeParse(state);
  if (!data) return NONE;
  const own = Object.hasOwn(data.users, user) ? data.users[user]! : data.users_default;
  return { mayRule: own >= data.state_default, mayInvite: own >= data.invite, mayRemove: own >= data.kick };
}

const ALL: Rights = { mayRule: true, mayInvite: true, mayRemove: true };
const NONE: Rights = { mayRule: false, mayInvite: false, mayRemove: false };
