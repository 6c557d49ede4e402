/**
 * Where a message can be. Content is there from `accepted` on, and gone in `delivered` and `discarded`; `failed` keeps
 * it for an operator's retry until it is purged.
 */
export const MESSAGE_STATES = ['accepted', 'frozen', 'delivered', 'failed', 'discarded'] as const;

export type MessageState = (typeof MESSAGE_STATES)[number];

interface Transition {
  readonly from: readonly MessageState[];
  /** None: it stays where it is. Two: the second if its bytes are frozen already. */
  readonly to: readonly MessageState[];
  /** What operators read in its history; null where the message's own times say it. */
  readonly event: MessageEvent | null;
}

export type MessageEvent = 'attempt-failed' | 'delay-told' | 'failed' | 'retried' | 'discarded';

/** Every way from one state to another: there is no other. docs/delivery.md says who takes it and what a crash leaves. */
export const TRANSITIONS = {
  freeze: { from: ['accepted', 'frozen'], to: ['frozen'], event: null },
  postpone: { from: ['accepted', 'frozen'], to: [], event: 'attempt-failed' },
  'tell-delay': { from: ['accepted', 'frozen'], to: [], event: 'delay-told' },
  deliver: { from: ['accepted', 'frozen'], to: ['delivered'], event: null },
  fail: { from: ['accepted', 'frozen'], to: ['failed'], event: 'failed' },
  retry: { from: ['failed'], to: ['accepted', 'frozen'], event: 'retried' },
  discard: { from: ['failed'], to: ['discarded'], event: 'discarded' },
} as const satisfies Record<string, Transition>;

export type TransitionName = keyof typeof TRANSITIONS;

/** States in which the queue holds an item of the message, and those in which nothing more happens by itself. */
export const WAITING_STATES: readonly MessageState[] = ['accepted', 'frozen'];
