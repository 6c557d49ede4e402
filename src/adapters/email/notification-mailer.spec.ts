import { expect, it } from '@jest/globals';
import { FakeNetwork } from '../../../test/contract/fake-network.js';
import type { ForeignAddress } from '../../common/ids.js';
import type { Adapter, OutgoingChallenge } from '../../gateway/adapter/adapter.js';
import { localCalls, standIn, type NetworkCalls } from '../../gateway/remote/stand-in.js';
import { notificationMailer } from './notification-mailer.js';

const email = { parseMailbox: (text: string) => (text.includes('@') ? text : null) };
const mail = { id: 'd4'.repeat(32), to: 'carol@example.com', subject: 'New dm3 message', text: 'Look.\n' };

/** A network as it is known where another process has its connection. */
function elsewhere(sendChallenge: NetworkCalls['sendChallenge']): Adapter {
  const adapter = Object.assign(new FakeNetwork(), { sendChallenge: () => Promise.reject(new Error('not here')) });
  return standIn(adapter, () => ({ ...localCalls(adapter), sendChallenge }));
}

it('hands mail to whoever has the connection, and what came of it back', async () => {
  const asked: OutgoingChallenge[] = [];
  const mailer = notificationMailer(email, () => elsewhere(async (challenge) => void asked.push(challenge)));
  await mailer.sendNotification(mail);
  expect(asked).toEqual([{ ...mail, to: 'mailto:carol@example.com' as ForeignAddress }]);
  const silent = new Error('no answer');
  const failing = notificationMailer(email, () => elsewhere(() => Promise.reject(silent)));
  await expect(failing.sendNotification(mail)).rejects.toBe(silent);
});

it('knows by itself whom mail can be sent to', () => {
  const mailer = notificationMailer(email, () => elsewhere(async () => {}));
  expect(['carol@example.com', 'carol'].map((text) => mailer.parseMailbox(text))).toEqual(['carol@example.com', null]);
});

it('asks to try again where nobody can send it', async () => {
  const { sendChallenge: _, ...mute } = elsewhere(async () => {}) as Adapter & { sendChallenge: unknown };
  await expect(notificationMailer(email, () => mute).sendNotification(mail)).rejects.toMatchObject({
    code: 'NETWORK_UNAVAILABLE',
    retryable: true,
  });
});
