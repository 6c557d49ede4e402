import { describe, expect, it } from '@jest/globals';
import { GatewayError } from '../common/errors.js';
import { createEventLog, createLogger, silentLog, type EventFields } from './event-log.js';

const SECRETS = {
  address: 'carol@example.org',
  name: 'bob.eth',
  text: 'Meet me at noon',
  subject: 'Our secret',
  key: 'ab'.repeat(32),
};

function recorded(level = 'debug') {
  const lines: string[] = [];
  const logger = createLogger({ level, destination: { write: (line: string) => void lines.push(line) } });
  return { lines, logger, log: createEventLog(logger) };
}

function expectNothingOf(lines: readonly string[]): void {
  expect(lines.length).toBeGreaterThan(0);
  for (const secret of Object.values(SECRETS)) expect(lines.join('')).not.toContain(secret);
}

describe('the event log', () => {
  it('writes an event, its fields and the time, nothing about the machine', () => {
    const { lines, log } = recorded();
    log.info('message.accepted', { id: '1', network: 'email', count: 2, code: undefined });
    expect(JSON.parse(lines[0]!)).toEqual({
      level: 30,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      event: 'message.accepted',
      id: '1',
      network: 'email',
      count: 2,
    });
  });

  it('has the levels it is set to', () => {
    const { lines, log } = recorded('warn');
    log.debug('a');
    log.info('b');
    log.warn('c');
    log.error('d');
    expect(lines.map((line) => JSON.parse(line).event)).toEqual(['c', 'd']);
    for (const write of [silentLog.debug, silentLog.info, silentLog.warn, silentLog.error]) write('nothing');
  });

  it('drops what is smuggled in beside the known fields', () => {
    const { lines, log } = recorded();
    const wider = { id: '1', from: SECRETS.address, message: { ...SECRETS }, err: new Error(SECRETS.text) };
    log.debug('event', wider as EventFields);
    log.info('event', wider as EventFields);
    log.warn('event', wider as EventFields);
    log.error('event', { ...SECRETS, ...wider } as EventFields, undefined);
    expectNothingOf(lines);
    expect(lines).toHaveLength(4);
  });

  it('keeps kind and place of an error and of its causes, not their words', () => {
    const { lines, log } = recorded();
    const cause = new TypeError(`${SECRETS.text}\n    at ${SECRETS.address} (file:///bob.eth:1:1)`);
    const error = new GatewayError({ code: 'X', kind: 'internal', message: `For ${SECRETS.name}`, cause });
    log.error('failed', { code: 'X' }, error);
    expectNothingOf(lines);
    const logged = JSON.parse(lines[0]!).error;
    expect(logged).toMatchObject({ name: 'GatewayError', cause: { name: 'TypeError' } });
    for (const { at } of [logged, logged.cause]) {
      expect(at[0]).toContain('event-log.spec');
      expect(at.length).toBeLessThanOrEqual(8);
    }
  });

  it('shows no frames it cannot tell from a message, and nothing that was thrown and is no error', () => {
    const { lines, log } = recorded();
    const reworded = Object.assign(new Error('harmless'), { stack: `Error: ${SECRETS.text}\n at bob.eth (x:1:1)` });
    const stackless = Object.assign(new Error(SECRETS.text), { stack: undefined });
    for (const thrown of [reworded, stackless, SECRETS.text, { ...SECRETS }, null]) log.error('failed', {}, thrown);
    expectNothingOf(lines);
    expect(lines.map((line) => JSON.parse(line).error?.at)).toEqual([[], [], undefined, undefined, undefined]);
  });

  it('redacts what libraries log of requests and errors by themselves', () => {
    const { lines, logger } = recorded();
    const { address, name, key, text } = SECRETS;
    const req = { url: `/ds/auth/${name}`, headers: { authorization: key }, query: { name }, params: { name } };
    logger.info({ req: { ...req, remoteAddress: address }, res: { headers: { 'x-for': address } } });
    logger.info({ err: new Error(text) });
    logger.error(new Error(text), text);
    expectNothingOf(lines);
  });
});
