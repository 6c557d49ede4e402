import { describe, expect, it } from '@jest/globals';
import { withoutLegacyPrefix } from './legacy.controller.js';

describe('withoutLegacyPrefix', () => {
  it.each([
    ['/legacy/ds/rpc', '/ds/rpc'],
    ['/legacy/ds/profile/bob.eth?x=/legacy/ds/', '/ds/profile/bob.eth?x=/legacy/ds/'],
    ['/legacy/ds/auth/bob.eth', '/legacy/ds/auth/bob.eth'],
    ['/legacy/dstill/rpc', '/legacy/dstill/rpc'],
    ['/ds/rpc', '/ds/rpc'],
    ['/health', '/health'],
  ])('%s is %s', (url, plain) => expect(withoutLegacyPrefix(url)).toBe(plain));
});
