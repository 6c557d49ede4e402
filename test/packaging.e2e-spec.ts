import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import {
  LIMIT_SECONDS,
  lintCompose,
  lintComposeSyntax,
  lintDockerfile,
  lintUnit,
  readUnit,
} from '../scripts/packaging.mjs';
import { emailConfigSchema } from '../src/adapters/email/config.js';
import { parseSettings, readConfigTree } from '../src/config/load.js';
import { coreSettings } from '../src/config/settings.js';
import { describeWithPeer } from './support/describe-with-peer.js';
import { ROOT, runOperator } from './support/program.js';

const read = (name: string) => fs.readFileSync(path.join(ROOT, name), 'utf8');
const dockerfile = read('docker/Dockerfile');
const composeText = read('docker/compose.yaml');
const unit = read('docker/dm3-gateway.service');
const limit = { limitSeconds: LIMIT_SECONDS };

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-packaging-'));
afterAll(() => fs.rmSync(home, { recursive: true }));

/** With one change, which must have changed something. */
function broken(text: string, what: string | RegExp, by: string): string {
  const changed = text.replace(what, by);
  expect(changed).not.toBe(text);
  return changed;
}

function composeFile(text: string): string {
  const file = path.join(home, 'compose.yaml');
  fs.writeFileSync(file, text);
  return file;
}

describe('the Dockerfile', () => {
  it('has no faults', () => expect(lintDockerfile(dockerfile)).toEqual([]));

  it.each([
    ['an instruction that there is not', /^RUN npm ci/m, 'RNU npm ci', /Unknown instruction: RNU/],
    ['a flag that there is not', '--interval=15s', '--intervall=15s', /Unknown flag/],
    ['a stage that there is not', '--from=build', '--from=bulid', /no such stage/],
    ['a file that there is not', 'COPY src src', 'COPY sources src', /COPY sources: there is no such file/],
    ['a file that the build does not see', 'COPY src src', 'COPY test src', /\.dockerignore keeps it away/],
    ['no user of its own', /^USER .*$/m, '', /as root/],
    ['root as its user', /^USER .*$/m, 'USER root', /as root/],
    ['a shell as first process', /^ENTRYPOINT .*$/m, 'ENTRYPOINT node /app/dist/cli/main.js', /ENTRYPOINT/],
    ['no health check', /^HEALTHCHECK[^]*/m, '', /HEALTHCHECK/],
    ['a registry', /FROM node:/g, 'FROM registry.example/node:', /names a registry/],
    ['no version', /FROM node:\S+/g, 'FROM node', /needs a version/],
    ['a secret', 'ENV NODE_ENV=production', 'ENV DATABASE_PASSWORD=hunter2', /DATABASE_PASSWORD/],
  ])('would be found to have %s', (_, what, by, complaint) => {
    expect(lintDockerfile(broken(dockerfile, what, by)).join('\n')).toMatch(complaint);
  });

  it('starts and asks what this project builds', async () => {
    const entry = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)![1]!) as string[];
    const command = JSON.parse(/^CMD (.*)$/m.exec(dockerfile)![1]!) as string[];
    const check = JSON.parse(/^ {2}CMD (.*)$/m.exec(dockerfile)![1]!) as string[];
    expect(entry).toEqual(['node', '/app/dist/cli/main.js']);
    expect(fs.existsSync(path.join(ROOT, 'src/cli/main.ts'))).toBe(true);
    expect(check.slice(0, 2)).toEqual(entry);
    await expectToBeUnderstood(command);
    await expectToBeUnderstood(check.slice(2));
  });
});

describe('the compose file', () => {
  const services = () => (parse(composeText, { merge: true }) as Compose).services;

  it('has no faults', () => expect(lintCompose(composeFile(composeText), limit)).toEqual([]));

  it.each([
    ['a key that there is not', 'read_only: true', 'readonly: true', /readonly|additional propert/i],
    [
      'a dependency that there is not',
      /^ {4}image: postgres/m,
      '    depends_on: [nobody]\n    image: postgres',
      /nobody/,
    ],
    [
      'a secret that there is not',
      'secrets: [database-password]',
      'secrets: [nothing]',
      /there is no nothing in secrets/,
    ],
    ['a port on all interfaces by default', "'127.0.0.1:8080:8080'", "'8080:8080'", /interface/],
    ['a port twice', "'0.0.0.0:25:2525'", "'127.0.0.1:8080:2525'", /8080/],
    ['too little time to stop', 'stop_grace_period: 35s', 'stop_grace_period: 10s', /killed before it can stop/],
    ['services that may gain privileges', 'no-new-privileges:true', 'no-new-privileges:false', /may gain privileges/],
    ['capabilities', 'cap_drop: [ALL]', 'cap_drop: [KILL]', /keeps its capabilities/],
    ['a registry', 'image: postgres:', 'image: registry.example/postgres:', /names a registry/],
    ['no health check', /^ {4}healthcheck:\n(^ {6}.*\n)+/m, '', /has no health check/],
    ['a password', 'POSTGRES_DB: dm3_gateway', 'POSTGRES_PASSWORD: hunter2', /a secret belongs into a file/],
  ])('would be found to have %s', (_, what, by, complaint) => {
    expect(lintCompose(composeFile(broken(composeText, what, by)), limit).join('\n')).toMatch(complaint);
  });

  it('gives our services commands that the program understands, and secrets that are declared', async () => {
    const { secrets } = parse(composeText, { merge: true }) as Compose;
    const ours = Object.values(services()).filter(({ image }) => image.startsWith('dm3-gateway:'));
    expect(ours).toHaveLength(4);
    for (const { command, secrets: used } of ours) {
      expect(Object.keys(secrets)).toEqual(expect.arrayContaining([...used!]));
      await expectToBeUnderstood(command!);
    }
  });

  it('has an example configuration that the gateway takes once it is filled in, with the secrets it mounts', () => {
    const { secrets } = parse(composeText, { merge: true }) as Compose;
    const example = read('docker/gateway.example.yaml').replace(/0x0{40}/, `0x${'ab'.repeat(20)}`);
    const used = [...example.matchAll(/\/run\/secrets\/([\w-]+)/g)].map(([, name]) => name!);
    expect(Object.keys(secrets)).toEqual(expect.arrayContaining(used));
    for (const name of used) fs.writeFileSync(path.join(home, name), 'amqp://dm3_gateway:secret@rabbitmq:5672\n');
    const text = example.replaceAll('/run/secrets/', `${home}/`);
    const settings = parseSettings(readConfigTree({ text, env: {} }), { ...coreSettings, email: emailConfigSchema });
    expect(settings.email.listen.port).toBe(2525);
    expect(composeText).toContain(`25:${settings.email.listen.port}`);
    expect(composeText).toContain(`8080:${settings.http.port}`);
    expect(settings.shutdown.limitSeconds).toBe(LIMIT_SECONDS);
  });
});

describe('the compose file for Matrix', () => {
  const matrixText = read('docker/compose.matrix.yaml');

  it('has no faults', () => expect(lintComposeSyntax(composeFile(matrixText))).toEqual([]));

  it('would be found to have a key that there is not', () => {
    const text = broken(matrixText, 'secrets: [', 'secret: [');
    expect(lintComposeSyntax(composeFile(text)).join('\n')).toMatch(
      /services\/api.*must NOT have additional properties/,
    );
  });

  it('adds the registration to the homeserver and to all that run the gateway', () => {
    const added = parse(matrixText) as Compose;
    const { services } = parse(composeText, { merge: true }) as Compose;
    const readers = Object.keys(services).filter((name) => /^(dm3-gateway|matrixdotorg)/.test(services[name]!.image));
    expect(Object.keys(added.services).sort()).toEqual(readers.sort());
    for (const { secrets } of Object.values(added.services)) expect(secrets).toEqual(Object.keys(added.secrets));
  });
});

describe('the systemd unit', () => {
  it('has no faults', () => expect(lintUnit(unit, limit)).toEqual([]));

  it.each([
    ['no user of its own', /^User=.*$/m, '', /as root/],
    ['too little time to stop', /^TimeoutStopSec=.*$/m, 'TimeoutStopSec=20', /killed before it can stop/],
    ['rights', 'NoNewPrivileges=yes', 'NoNewPrivileges=no', /NoNewPrivileges/],
    ['a password', 'NODE_ENV=production', 'DM3_GATEWAY_DATABASE__PASSWORD=hunter2', /belongs into a credential/],
  ])('would be found to have %s', (_, what, by, complaint) => {
    expect(lintUnit(broken(unit, what, by), limit).join('\n')).toMatch(complaint);
  });

  it('starts and asks what is there', async () => {
    for (const line of ['ExecStart', 'ExecStartPost'].flatMap((name) => readUnit(unit).get(name)!)) {
      const [program, ...args] = line.split(' ');
      expect(program).toMatch(/^\/opt\/dm3-gateway\//);
      fs.accessSync(path.join(ROOT, path.relative('/opt/dm3-gateway', program!)), fs.constants.X_OK);
      await expectToBeUnderstood(args.map((arg) => arg.replace('/etc/dm3-gateway', '/none')));
    }
  });

  it('names variables that are settings', () => {
    const names = readUnit(unit)
      .get('Environment')!
      .map((entry) => entry.split('=') as [string, string]);
    const env = Object.fromEntries(names.map(([name]) => [name, 'file']));
    const minimal = read('docker/gateway.example.yaml').replace(/0x0{40}/, `0x${'ab'.repeat(20)}`);
    const text = minimal.replaceAll(/!file \S+/g, 'amqp://broker');
    expect(() =>
      parseSettings(readConfigTree({ text, env }), { ...coreSettings, email: emailConfigSchema }),
    ).not.toThrow();
  });
});

describeWithPeer('systemd-analyze', 'systemd itself', (systemdAnalyze) => {
  const verify = (text: string) => {
    const file = path.join(home, 'dm3-gateway.service');
    fs.writeFileSync(file, text.replaceAll('/opt/dm3-gateway/', ROOT));
    return spawnSync(systemdAnalyze, ['verify', '--man=no', '--recursive-errors=no', file], { encoding: 'utf8' });
  };

  it('takes the unit without a word', () => {
    expect(verify(unit)).toMatchObject({ status: 0, stderr: '' });
  });

  it('would complain of a directive that there is not', () => {
    expect(verify(broken(unit, 'ProtectHome=', 'ProtectHouse=')).stderr).toMatch(/Unknown key.*ProtectHouse/);
  });
});

it('gives a stop less time than its defaults take', () => {
  expect(coreSettings.shutdown.parse({}).limitSeconds).toBe(LIMIT_SECONDS);
});

interface Compose {
  readonly services: Record<string, { image: string; command?: string[]; secrets?: readonly string[] }>;
  readonly secrets: Record<string, unknown>;
}

/** The command line is all right: what is missing is the configuration. */
async function expectToBeUnderstood(args: readonly string[]): Promise<void> {
  const config = args.includes('--config') ? [] : ['--config', '/none/gateway.yaml'];
  const { code, stderr } = await runOperator([...args, ...config]);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/^Cannot read the configuration file \/none\/gateway\.yaml/),
  });
}
