import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Dm3Client } from '../src/cli/dm3-client.js';
import { readRegistration } from '../src/adapters/matrix/registration.js';
import type { Examined } from '../src/ops/doctor/check.js';
import { createSodiumProvider } from '../src/protocol/crypto/sodium.js';
import type { SandboxFile } from '../src/sandbox/sandbox.js';
import { installSynapse } from '../src/sandbox/synapse-install.js';
import { describeWithPeer } from './support/describe-with-peer.js';
import { eventually } from './support/eventually.js';
import { MatrixUser } from './support/matrix-user.js';
import { Program, ROOT, runOperator } from './support/program.js';
import { freePortBase, makePlace, sandboxArguments, sandboxFile } from './support/sandbox-process.js';
import { SYNAPSE_PATIENCE_MS } from './support/synapse.js';

describeWithPeer('synapse', 'What operators of Matrix are given', () => {
  const place = makePlace();
  let program: Program;
  let file: SandboxFile;

  const start = async (portBase: number): Promise<void> => {
    const args = [...sandboxArguments({ dataDir: place.dataDir, portBase }), '--matrix'];
    program = new Program(process.execPath, [`${ROOT}scripts/run.mjs`, ...args]);
    for (const line of ['Starting Synapse', 'Setting up ENS', 'Ready after']) {
      await eventually(`"${line}"`, async () => {
        if (program.child.exitCode !== null) throw new Error(`The sandbox ended: ${program.stderr}`);
        return program.stdout.includes(line);
      });
    }
    file = JSON.parse(fs.readFileSync(sandboxFile(place.dataDir), 'utf8')) as SandboxFile;
  };
  const logIn = () => MatrixUser.logIn(file.matrix!.homeserverUrl, 'alice', file.matrix!.users[0]!.password);
  const doctor = async () => {
    const { stdout } = await runOperator(['doctor', '--sandbox', place.dataDir, '--json']);
    const { subjects } = JSON.parse(stdout) as { subjects: Examined[] };
    return subjects.flatMap(({ findings }) => findings).filter(({ code }) => code.startsWith('MATRIX'));
  };

  beforeAll(async () => {
    await installSynapse(() => undefined);
    await start(await freePortBase());
  }, SYNAPSE_PATIENCE_MS);
  afterAll(async () => {
    await program?.kill('SIGINT');
    await place.remove();
  }, 60_000);

  it('a sandbox with two people, a ghost for every name, and a file that says where', async () => {
    expect(file.matrix).toEqual({
      homeserverUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      serverName: 'matrix.localhost',
      users: ['alice', 'bob'].map((name) => ({ id: `@${name}:matrix.localhost`, password: 'sandbox' })),
      bot: '@dm3bot:matrix.localhost',
    });
    const alice = await logIn();
    const room = await alice.chatWith('@dm3_bob.eth:matrix.localhost');
    await alice.say(room, 'hello from the sandbox');
    const bob = new Dm3Client(await createSodiumProvider(), file, 'bob.eth');
    await eventually('the message', async () =>
      (await bob.inbox()).some(({ message }) => message.message === 'hello from the sandbox'),
    );
    await bob.send('alice._at.matrix.localhost.matrix.gateway.eth', 'hello from bob');
    await alice.hear(room, 'hello from bob');
    bob.close();
  });

  it('a doctor who finds nothing to mend, and says what to do where there is something', async () => {
    expect((await doctor()).map(({ code, level }) => `${code} ${level}`)).toEqual([
      'MATRIX_REGISTRATION ok',
      'MATRIX_VERSION ok',
      'MATRIX_TOKEN ok',
      'MATRIX_PING ok',
      'MATRIX_MEDIA ok',
    ]);
    const registration = path.join(place.dataDir, 'matrix', 'registration.yaml');
    const text = fs.readFileSync(registration, 'utf8');
    const { as_token: token } = readRegistration(registration);
    fs.writeFileSync(registration, text.replace(token, 'x'.repeat(64)).replace('exclusive: true', 'exclusive: false'));
    expect((await doctor()).map(({ code, level }) => `${code} ${level}`)).toEqual([
      'MATRIX_REGISTRATION ok',
      'MATRIX_NOT_EXCLUSIVE warning',
      'MATRIX_VERSION ok',
      'MATRIX_TOKEN_UNKNOWN error',
    ]);
    fs.writeFileSync(registration, text.replace('dm3_', 'other_'));
    expect((await doctor())[0]).toMatchObject({ code: 'MATRIX_NAMESPACE', level: 'error', fix: expect.any(String) });
    fs.writeFileSync(registration, text);
  });

  it('health that tells whether the two reach each other', async () => {
    const health = (await (await fetch(`${file.http.url}/health/ready`)).json()) as object;
    expect(JSON.stringify(health)).toContain('"matrix":{"status":"up"');
  });

  describe('a registration', () => {
    const write = (...args: string[]) => runOperator(['matrix', 'registration', ...args]);
    const target = path.join(place.dataDir, 'written.yaml');
    const config = () => {
      const tree = JSON.parse(fs.readFileSync(path.join(place.dataDir, 'gateway.yaml'), 'utf8')) as Record<
        string,
        object
      >;
      const file = path.join(place.dataDir, 'other.yaml');
      fs.writeFileSync(file, JSON.stringify({ ...tree, matrix: { ...tree['matrix'], registrationFile: target } }));
      return file;
    };

    it('that is written once, for nobody else to read, and again only when asked', async () => {
      const first = await write('--config', config(), '--url', 'https://gateway.example.org');
      expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('app_service_config_files') });
      expect(fs.statSync(target).mode & 0o777).toBe(0o600);
      const { hs_token: token, url } = readRegistration(target);
      expect(url).toBe('https://gateway.example.org');
      expect(first.stdout + first.stderr).not.toContain(token);
      expect(await write('--config', config())).toMatchObject({ code: 1, stderr: expect.stringContaining('--force') });
      expect(readRegistration(target).hs_token).toBe(token);
      expect((await write('--config', config(), '--force')).code).toBe(0);
      expect(readRegistration(target).hs_token).not.toBe(token);
    });
  });
});
