// Programs from the system that some end-to-end tests talk to. Without them those tests are named as not run.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** Debian keeps servers' tools out of an ordinary user's PATH. */
const FOLDERS = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/sbin'];

function peer(program, debianPackage, { name = program, folders = FOLDERS } = {}) {
  const find = () => folders.map((folder) => path.join(folder, program)).find((file) => fs.existsSync(file)) ?? null;
  return { name, install: `apt-get install ${debianPackage}`, find, probe: () => find() !== null };
}

/** Synapse itself is installed from the package index when it is first needed (src/sandbox/synapse-install.ts). */
function python() {
  const { find } = peer('python3', 'python3');
  const probe = () => find() !== null && spawnSync(find(), ['-c', 'import ensurepip, venv']).status === 0;
  const install = 'apt-get install python3 python3-venv';
  return { name: 'synapse', install, find: () => (probe() ? find() : null), probe };
}

export const PEERS = {
  swaks: peer('swaks', 'swaks'),
  'smtp-source': peer('smtp-source', 'postfix'),
  'systemd-analyze': peer('systemd-analyze', 'systemd'),
  chromium: peer('chromium', 'chromium'),
  'postgresql-15': peer('postgres', 'postgresql-15', {
    name: 'postgresql-15',
    folders: ['/usr/lib/postgresql/15/bin'],
  }),
  'rabbitmq-server': peer('rabbitmq-server', 'rabbitmq-server'),
  synapse: python(),
};

/** Part of the name of every test that needs the peer: scripts/test.mjs tells by it what was not run. */
export const needs = (name) => `(needs ${name})`;
