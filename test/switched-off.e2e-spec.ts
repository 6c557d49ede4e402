import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RunningGateway } from '../src/main.js';
import { OutboxWorker } from '../src/outbox/outbox-worker.js';
import { eventually } from './support/eventually.js';
import { startForeignService, type ForeignService } from './support/foreign-service.js';
import { sendMail } from './support/mail.js';
import { startSecondGateway } from './support/second-gateway.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const FAST = { firstSeconds: 0.05, factor: 1.5, maxSeconds: 0.5 };

describe('A network that was switched off while messages from it wait', () => {
  let gateway: TestGateway;
  let service: ForeignService;
  let without: RunningGateway | undefined;
  beforeAll(async () => {
    gateway = await TestGateway.create({
      settings: { delivery: { retry: { email: FAST, dm3: FAST }, pollSeconds: 0.1 } },
    });
    service = await startForeignService(gateway, { name: 'daves-service.eth' });
    await gateway.addPerson('dave.eth', { deliveryService: service.name });
  });
  afterAll(async () => {
    await without?.stop();
    await gateway.stop();
    await service.stop();
  });

  it('has each delivered once', async () => {
    service.mood = 'fails';
    await sendMail(gateway, { to: `dave.eth@${DOMAIN}`, text: 'before it was switched off' });
    await eventually('an attempt', async () => service.attempts.length > 0);
    await gateway.running.app.get(OutboxWorker).stop();
    service.mood = 'takes';
    without = await startSecondGateway(gateway);
    const state = async () => {
      const [row] = await gateway.db.query<{ state: string }>('SELECT state FROM message');
      return row!.state;
    };
    await eventually('it to be settled', async () => (await state()) === 'delivered');
    expect(service.envelopes).toHaveLength(1);
  });
});
