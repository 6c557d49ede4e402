import { describe, expect, it } from '@jest/globals';
import { emailConfigSchema } from '../adapters/email/config.js';
import { parseSettings, readConfigTree } from '../config/load.js';
import { coreSettings } from '../config/settings.js';
import { configTemplate } from './config-template.js';

const files = {
  rootSecretFile: '/etc/gateway/root "secret"',
  storageKeysFile: '/etc/gateway/storage-keys',
  dkimKeyFile: '/etc/gateway/dkim.pem',
  adminToken: 'x',
};
const template = configTemplate({ root: 'my.eth', mailDomain: 'my.example', url: 'https://my.example', files });
const filledIn = template.replace(/0x0{40}/, `0x${'ab'.repeat(20)}`);
const sections = { ...coreSettings, email: emailConfigSchema };
const parse = (text: string) => parseSettings(readConfigTree({ text, env: {} }), sections);

/** Its commented-out settings switched on, but for those that stand for a choice rather than a default. */
function withDefaultsSpelledOut(text: string): string {
  const choices =
    /password:|matrix:|homeserverUrl:|serverName:|registrationFile:|aliasRegistry:|tls:|outgoing:|^# delivery:|expirySeconds:|retry:|backPressure:|every setting|DM3_GATEWAY/i;
  return text
    .split('\n')
    .map((line) => (choices.test(line) ? line : line.replace(/^(\s*)# ?(\s*[a-zA-Z]+: )/, '$1$2')))
    .join('\n')
    .replace(/^ {2}(delayNoticeSeconds|concurrency|conversationDays|mapDays|deadLetterDays)/m, 'delivery:\n  $1');
}

describe('the configuration that init writes', () => {
  it('says what is left to fill in', () => {
    expect(() => parse(template)).toThrow(/ccipRead\.resolvers\.0: the address of a deployed contract goes here/);
  });

  it('is one that the gateway takes then', () => {
    expect(parse(filledIn)).toMatchObject({
      http: { publicUrl: 'https://my.example' },
      names: { root: 'my.eth', topLevelAliases: { email: 'email.my.eth' } },
      deliveryService: { name: 'ds.my.eth' },
      email: { domains: ['my.example'], dkim: { privateKeyFile: files.dkimKeyFile } },
      secrets: { rootSecretFile: files.rootSecretFile, storageKeysFile: files.storageKeysFile },
    });
  });

  it('says in its comments what counts without them', () => {
    const spelledOut = withDefaultsSpelledOut(filledIn);
    for (const setting of ['poolSize: 10', 'cacheSeconds: 300', 'digest: plain', 'mapDays: 400', 'logLevel: info']) {
      expect(spelledOut).toMatch(new RegExp(`^ *${setting}\\b`, 'm'));
    }
    expect(parse(spelledOut)).toEqual(parse(filledIn));
  });
});
