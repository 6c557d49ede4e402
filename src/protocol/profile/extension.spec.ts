import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { ENCRYPTION_SCHEME } from '../envelope/envelope.js';
import { MESSAGE_TYPES } from '../envelope/message.js';
import { MalformedCapabilitiesError } from './errors.js';
import { parseProfileExtension, profileExtensionResult } from './extension.js';

const require = createRequire(import.meta.url);
const misc = require('../../../test/vectors/misc.json') as { vectors: { defaultProfileExtension?: object }[] };
const defaults = misc.vectors.flatMap((vector) => vector.defaultProfileExtension ?? []);

describe('parseProfileExtension', () => {
  it.each(defaults)('takes the reference’s default %j as no restriction', (value) => {
    expect(parseProfileExtension(JSON.stringify(value))).toEqual({
      encryptionSchemes: [ENCRYPTION_SCHEME],
      supportedMessageTypes: MESSAGE_TYPES,
    });
  });

  it.each([
    [{ supportedMessageTypes: ['EDIT', 'NEW', 'SHOUT'] }, ['NEW', 'EDIT']],
    [{ notSupportedMessageTypes: ['EDIT'] }, MESSAGE_TYPES.filter((type) => type !== 'EDIT')],
    [{ supportedMessageTypes: ['NEW'], notSupportedMessageTypes: ['EDIT'] }, ['NEW']],
  ])('reads the types of %j', (value, types) => {
    expect(parseProfileExtension(value).supportedMessageTypes).toEqual(types);
  });

  it.each([[{ encryptionScheme: 'a' }], [{ encryptionScheme: ['a'] }], [{ encryptionAlgorithm: ['a'] }]])(
    'reads the encryption of %j',
    (value) => {
      expect(parseProfileExtension(value).encryptionSchemes).toEqual(['a']);
    },
  );

  it('reads what is asked of senders', () => {
    const spamFilterRules = {
      minNonce: 0,
      minBalance: '1000',
      minTokenBalance: { address: `0x${'aB'.repeat(20)}`, amount: '5' },
      requireVerifiedSender: true,
    };
    expect(parseProfileExtension({ spamFilterRules })).toMatchObject({ spamFilterRules });
    expect(parseProfileExtension({})).not.toHaveProperty('spamFilterRules');
  });

  it.each([
    'text',
    [[]],
    { supportedMessageTypes: 'NEW' },
    { spamFilterRules: { minNonce: -1 } },
    { spamFilterRules: { minBalance: '0x1' } },
    { spamFilterRules: { minTokenBalance: { address: 'dai.eth', amount: '1' } } },
  ])('refuses %j', (value) => {
    expect(() => parseProfileExtension(value)).toThrow(MalformedCapabilitiesError);
  });
});

describe('profileExtensionResult', () => {
  it('is read back as it was meant, by those who know one spelling only too', () => {
    const withNew = fc.subarray([...MESSAGE_TYPES]).filter((types) => types.includes('NEW'));
    fc.assert(
      fc.property(withNew, fc.nat(), (supportedMessageTypes, minNonce) => {
        const spamFilterRules = { minNonce };
        const extension = { encryptionSchemes: [ENCRYPTION_SCHEME], supportedMessageTypes, spamFilterRules };
        const text = profileExtensionResult(extension);
        const {
          encryptionScheme: _,
          supportedMessageTypes: __,
          ...clients
        } = JSON.parse(text) as object & {
          encryptionScheme: unknown;
          supportedMessageTypes: unknown;
        };
        expect(parseProfileExtension(text)).toEqual(extension);
        expect(parseProfileExtension(clients)).toEqual(extension);
      }),
    );
  });
});
