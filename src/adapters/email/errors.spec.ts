import { describe, expect, it } from '@jest/globals';
import { GatewayError, type ErrorKind } from '../../common/errors.js';
import { MessageTooLargeError, RelayRefusedError } from '../../gateway/adapter/errors.js';
import { failureStatus, MailRefusedError, toSmtpReply } from './errors.js';

const replyTo = (error: unknown) => {
  const { responseCode, message } = toSmtpReply(error);
  return `${responseCode} ${message}`;
};
const named = (code: string, kind: ErrorKind, retryable = false) =>
  new GatewayError({ code, kind, message: 'Words.', retryable });

describe('toSmtpReply', () => {
  it.each([
    [named('NAME_NOT_FOUND', 'not-found'), '550 5.1.1 Words.'],
    [named('PROFILE_INVALID', 'invalid-input'), '550 5.1.1 Words.'],
    [named('NAMING_UNAVAILABLE', 'unavailable', true), '451 4.4.3 Words.'],
    [named('STORAGE_UNAVAILABLE', 'unavailable', true), '451 4.4.3 Words.'],
    [named('SOMETHING', 'forbidden', true), '451 4.3.0 Words.'],
    [named('SOMETHING', 'spam'), '550 5.7.1 Words.'],
    [new MailRefusedError({ code: 'TOO_MANY_UNKNOWN', reason: 'Words.' }), '421 4.7.0 Words.'],
  ])('%s', (error, reply) => {
    expect(replyTo(error)).toBe(reply);
  });

  it('names the limit that was passed, and the relay that was refused', () => {
    expect(replyTo(new MessageTooLargeError({ sizeBytes: 9, limitBytes: 5 }))).toMatch(
      /^552 5\.3\.4 .*5 bytes at most/,
    );
    expect(replyTo(new RelayRefusedError())).toMatch(/^550 5\.7\.1 /);
  });

  it('keeps what went wrong inside to itself', () => {
    expect(replyTo(new TypeError('password is hunter2'))).toBe(
      '451 4.3.0 Something went wrong on our side; please try again later.',
    );
  });

  it('stays on one line of SMTP length', () => {
    const error = new MailRefusedError({ code: 'MALFORMED_MAIL', reason: `a\r\n250 ok ${'x'.repeat(900)}` });
    expect(replyTo(error)).toMatch(/^550 5\.6\.0 a 250 ok x+…$/);
    expect(replyTo(error).length).toBeLessThan(500);
  });
});

describe('failureStatus', () => {
  it('is permanent, whatever the code', () => {
    expect(failureStatus('NAME_NOT_FOUND')).toBe('5.1.1');
    expect(failureStatus('EXPIRED')).toBe('5.4.7');
    expect(failureStatus('ANYTHING')).toBe('5.0.0');
  });
});
