import { describe, expect, it, jest } from '@jest/globals';
import type { EventLog } from './event-log.js';
import { countingLog, Metrics } from './metrics.js';

const fakeLog = () => ({ debug: jest.fn(), info: jest.fn(), warn: jest.fn(), error: jest.fn() }) satisfies EventLog;

describe('Metrics', () => {
  it('counts what is worth a line in the log, and still writes it', async () => {
    const [metrics, log] = [new Metrics(), fakeLog()];
    const counting = countingLog(log, metrics);
    const fields = { id: 'an-id', network: 'email', state: 'accepted' };
    counting.info('message.received', fields);
    counting.info('message.received', fields);
    counting.warn('outbox.failed');
    counting.error('rpc.failed', { code: 'X' }, new Error('why'));
    counting.debug('detail');

    const text = await metrics.registry.metrics();
    expect(text).toContain('dm3_gateway_events_total{event="message.received",network="email",state="accepted"} 2');
    expect(text).toContain('dm3_gateway_events_total{event="outbox.failed",network="",state=""} 1');
    expect(text).toContain('dm3_gateway_events_total{event="rpc.failed",network="",state=""} 1');
    expect(text).not.toMatch(/an-id|detail/);
    expect(log.info).toHaveBeenCalledWith('message.received', fields);
    expect(log.warn).toHaveBeenCalledTimes(1);
    expect(log.error).toHaveBeenCalledWith('rpc.failed', { code: 'X' }, expect.any(Error));
    expect(log.debug).toHaveBeenCalledTimes(1);
  });

  it('reads a value when it is asked for', async () => {
    const metrics = new Metrics();
    let waiting = 3;
    metrics.observe('queue_waiting', 'Messages waiting.', async () => waiting);
    expect(await metrics.registry.metrics()).toContain('dm3_gateway_queue_waiting 3');
    waiting = 4;
    expect(await metrics.registry.metrics()).toContain('dm3_gateway_queue_waiting 4');
  });

  it('reads several values that belong together, and forgets those that are gone', async () => {
    const metrics = new Metrics();
    let lengths = new Map([
      ['a', 1],
      ['b', 2],
    ]);
    metrics.observeEach('queue_length', 'By queue.', 'queue', () => lengths);
    expect(await metrics.registry.metrics()).toMatch(/length\{queue="a"\} 1\n.*length\{queue="b"\} 2\n/);
    lengths = new Map([['b', 3]]);
    expect(await metrics.registry.metrics()).toMatch(/gauge\n.*length\{queue="b"\} 3\n/);
  });
});
