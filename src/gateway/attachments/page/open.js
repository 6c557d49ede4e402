// The page behind a link: fetches what the gateway keeps, opens it here, and offers it to be saved. It is never shown:
// what a file contains must not run or load anything in the name of this site.
import { chunkOffset, HEAD_BYTES, openChunks, readHead, readKey, UnsealError } from './unseal.js';

const ATTEMPTS = 5;
const PAUSE_MS = 1000;
const TITLE = { ready: 'A file for you', failed: 'The file cannot be opened' };

const WORDS = {
  'no-key':
    'The link is incomplete: it must end with # and 64 letters and digits, which are the key to the file. Copy all of it from the message.',
  'wrong-key':
    'The key at the end of the link does not fit this file. Copy the whole link from the message and try again.',
  'not-a-file': 'What is kept here is not in a form that this page knows. Load the page again; it may be out of date.',
  damaged: 'The file was damaged or changed, so nothing was saved. Ask the sender to send it again.',
  'cut-off':
    'A part of the file is missing, so nothing was saved. Try again later, or ask the sender to send it again.',
  gone: 'The file is no longer here: files are kept for a limited time. Ask the sender to send it again.',
  busy: 'Too many requests came from your network. Wait a minute and try again.',
  unreachable: 'The connection broke. Check that you are online and try again.',
  'no-crypto': 'Your browser opens encrypted files only on a secure page. The address must begin with https://.',
};

class FetchError extends Error {
  constructor(code, { passing = false } = {}) {
    super(code);
    this.code = code;
    this.passing = passing;
  }
}

const part = (id) => document.getElementById(id);
const url = new URL(`${location.pathname.replace(/\/$/, '')}/data`, location.origin);
let busy = false;

async function start() {
  try {
    if (!globalThis.crypto?.subtle) throw new FetchError('no-crypto');
    const key = await readKey(location.hash.slice(1));
    const head = await readHead(key, await persistently(() => fetchHead()));
    describe(head);
    part('get').addEventListener('click', () => void get(key, head));
    say('Ready. It is downloaded and decrypted in your browser.');
  } catch (error) {
    fail(error);
  }
}

async function get(key, head) {
  if (busy) return;
  busy = true;
  part('get').hidden = true;
  part('progress').hidden = false;
  try {
    save(await download(key, head), head.name);
  } catch (error) {
    fail(error);
    part('get').textContent = 'Try again';
    part('get').hidden = false;
  } finally {
    part('progress').hidden = true;
    busy = false;
  }
}

/** The whole file, every chunk checked. A connection that breaks goes on with the chunk that it broke in. */
async function download(key, head) {
  const blobs = [];
  let received = 0;
  say('Downloading…');
  await persistently(async () => {
    const from = blobs.length;
    for await (const chunk of openChunks(key, head, fetchFrom(chunkOffset(head, from)), from)) {
      blobs.push(new Blob([chunk]));
      received += chunk.length;
      showProgress(received, head.size);
    }
  });
  return new Blob(blobs, { type: 'application/octet-stream' });
}

/** Again after a pause, as long as it can help. */
async function persistently(work) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const passing = error.passing || error.code === 'cut-off';
      if (!passing || attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, attempt * PAUSE_MS));
    }
  }
}

async function fetchHead() {
  const pieces = [];
  for await (const piece of fetchFrom(0, HEAD_BYTES - 1)) pieces.push(piece);
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

async function* fetchFrom(from, to = '') {
  const response = await request({ range: `bytes=${from}-${to}` });
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(() => Promise.reject(unreachable()));
    if (done) return;
    yield value;
  }
}

async function request(headers) {
  const response = await fetch(url, { headers, credentials: 'omit', cache: 'no-store' }).catch(() => {
    throw unreachable();
  });
  if (response.status === 206) return response;
  if (response.status === 404 || response.status === 410) throw new FetchError('gone');
  if (response.status === 416) throw new FetchError('cut-off');
  if (response.status === 429) throw new FetchError('busy');
  throw unreachable();
}

const unreachable = () => new FetchError('unreachable', { passing: true });

function describe({ name, type, size }) {
  document.title = name;
  part('name').textContent = name;
  part('size').textContent = humanSize(size);
  part('type').textContent = type;
  for (const id of ['facts', 'get', 'caution']) part(id).hidden = false;
}

/** Always as bytes, whatever its type says: a browser that does not save it does not run it either. */
function save(blob, name) {
  const link = part('save');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.hidden = false;
  link.click();
  say('Done. The file is complete and was saved; look among your downloads.');
}

function showProgress(received, size) {
  const percent = size === 0 ? 100 : Math.floor((100 * received) / size);
  part('bar').value = percent;
  // Screen readers read the status aloud: not at every percent.
  if (percent % 25 === 0) say(`Downloading… ${percent} %`);
}

function say(text) {
  part('title').textContent = TITLE.ready;
  part('status').classList.remove('bad');
  part('status').textContent = text;
}

function fail(error) {
  const known = error instanceof UnsealError || error instanceof FetchError;
  part('title').textContent = TITLE.failed;
  part('status').textContent = known ? WORDS[error.code] : WORDS.damaged;
  part('status').classList.add('bad');
}

function humanSize(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  const units = ['KB', 'MB', 'GB'];
  let value = bytes / 1000;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit += 1) value /= 1000;
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

void start();
