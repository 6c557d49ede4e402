import type {
  Adapter,
  ChallengeSender,
  NoticeSender,
  OutgoingChallenge,
  OutgoingMessage,
  OutgoingNotice,
  Rendering,
} from '../adapter/adapter.js';
import { sendsChallenges, sendsNotices } from '../adapter/adapter.js';
import { UnsupportedMessageError } from '../adapter/errors.js';

/** What needs the connection to a network, or key material that only its process may have. */
export type NetworkCalls = Pick<Adapter, 'render' | 'send' | 'health'> & NoticeSender & ChallengeSender;

/**
 * Stands for an adapter that may run elsewhere. What can be told from an address and the configuration alone is answered
 * by the adapter as it was made here, which is never started for it; everything else by `calls`, asked anew each time.
 * Has the same optional abilities as the adapter.
 */
export function standIn(adapter: Adapter, calls: () => NetworkCalls): Adapter {
  return {
    network: adapter.network,
    owns: (address) => adapter.owns(address),
    formatAddress: (address) => adapter.formatAddress(address),
    capabilities: () => adapter.capabilities(),
    destinationOf: (address) => adapter.destinationOf(address),
    start: (port) => adapter.start(port),
    stop: () => adapter.stop(),
    health: () => calls().health(),
    render: async (outgoing) => calls().render(outgoing),
    send: async (rendering) => calls().send(rendering),
    ...(sendsNotices(adapter) && {
      followsDelays: adapter.followsDelays,
      renderNotice: async (notice: OutgoingNotice) => calls().renderNotice(notice),
    }),
    ...(sendsChallenges(adapter) && {
      sendChallenge: async (challenge: OutgoingChallenge) => calls().sendChallenge(challenge),
    }),
  };
}

/** The calls of an adapter that runs in this process. @param send what hands a rendering over */
export function localCalls(
  adapter: Adapter,
  send: (rendering: Rendering) => Promise<void> = (rendering) => adapter.send(rendering),
): NetworkCalls {
  return {
    health: () => adapter.health(),
    render: (outgoing: OutgoingMessage) => adapter.render(outgoing),
    send,
    renderNotice: async (notice) => (sendsNotices(adapter) ? adapter.renderNotice(notice) : null),
    sendChallenge: async (challenge) => {
      if (!sendsChallenges(adapter))
        throw new UnsupportedMessageError({ reason: 'The network takes no such message.' });
      await adapter.sendChallenge(challenge);
    },
  };
}
