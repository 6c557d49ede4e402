import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { connect } from 'amqplib';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { NetworkId } from '../src/common/ids.js';
import { NOTICE_PREFIX } from '../src/gateway/notices/wording.js';
import { brokerChecks } from '../src/gateway/remote/broker-checks.js';
import { CALL, queueOptions } from '../src/gateway/remote/broker-queue.js';
import { remoteSendStore } from '../src/gateway/remote/remote-send.store.js';
import { PacketSealer, type SealedPacket } from '../src/gateway/remote/sealed-packet.js';
import { requestToJson } from '../src/gateway/remote/wire.js';
import { examine } from '../src/ops/doctor/check.js';
import { Sealer } from '../src/storage/sealer.js';
import { FakeNetwork, type FakeParcel } from './contract/fake-network.js';
import { Correspondent, type Letter } from './support/correspondent.js';
import { describeWithPeer } from './support/describe-with-peer.js';
import { eventually } from './support/eventually.js';
import { startForeignService, type ForeignService } from './support/foreign-service.js';
import { ask } from './support/http-answer.js';
import { arrivalsIn, NetworkHostProcess } from './support/network-host-process.js';
import { RabbitMq } from './support/rabbitmq.js';
import { secretsIn } from './support/secrets.js';
import { TestGateway } from './support/test-gateway.js';

const FAST = { firstSeconds: 0.1, factor: 1.5, maxSeconds: 1 };
const PATIENCE_MS = 90_000;
const FAKE = 'fake' as NetworkId;

describeWithPeer('rabbitmq-server', 'a network whose connection is another process’s business', () => {
  /** As workers and the API know it: never started. */
  const face = new FakeNetwork();
  let rabbit: RabbitMq;
  let world: TestGateway;
  let home: string;
  let arrivals: string;
  let host: NetworkHostProcess;
  let bob: Correspondent;

  beforeAll(async () => {
    home = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-broker-'));
    arrivals = path.join(home, 'arrivals');
    rabbit = await RabbitMq.start();
    world = await TestGateway.create({
      roles: ['api', 'worker'],
      adapters: [{ adapter: face, codec: face.codec }],
      settings: {
        broker: { url: rabbit.url, networks: ['fake'], replyTimeoutSeconds: 5, prefetch: 4 },
        delivery: { retry: { fake: FAST, dm3: FAST }, pollSeconds: 0.2, leaseSeconds: 2 },
      },
    });
    bob = new Correspondent(world, world.bob);
    host = await startHost();
  }, 240_000);
  afterAll(async () => {
    expect(face.attempts).toEqual([]);
    await host?.kill();
    await world?.stop();
    await rabbit?.remove();
    rmSync(home, { recursive: true, force: true });
  });

  const startHost = (killAt: string | null = null) => NetworkHostProcess.start(world, { arrivals, killAt });
  const ghostOf = (name: string) => `${name}.fake.gateway.eth`;
  const arrivedFor = (name: string): FakeParcel[] => arrivalsIn(arrivals).filter(({ to }) => to === face.address(name));
  const texts = (name: string) => arrivedFor(name).map(({ text }) => text);
  const queued = async () => (await world.db.query('SELECT 1 FROM outbox_item')).length;
  const queueIsEmpty = () =>
    eventually('an empty queue', async () => (await queued()) === 0, { patienceMs: PATIENCE_MS });
  const lastCode = async () => (await world.db.query<{ code: string }>('SELECT last_code AS code FROM outbox_item'))[0];
  const failsWith = (code: string) =>
    eventually(`an attempt that ends with ${code}`, async () => (await lastCode())?.code === code, {
      patienceMs: PATIENCE_MS,
    });
  const received = (text: string): Promise<Letter> =>
    eventually(`"${text}"`, async () => (await bob.inbox()).find(({ message }) => message.message?.includes(text)));

  it('gets messages over it, in order, and brings its own', async () => {
    for (const text of ['one', 'two', 'three']) await bob.send({ to: ghostOf('olga'), text });
    await queueIsEmpty();
    expect(texts('olga')).toEqual(['one', 'two', 'three']);
    expect(await host.write({ from: 'olga', to: 'bob.eth', text: 'from far away' })).toMatchObject({
      status: 'accepted',
    });
    const { hash } = await received('from far away');
    await bob.send({ to: ghostOf('olga'), text: 'an answer', answers: hash });
    await queueIsEmpty();
    expect(arrivedFor('olga').at(-1)).toMatchObject({ kind: 'reply', text: 'an answer', target: 'letter-1' });
  });

  it('is looked at by the doctor, who changes nothing and tells nobody the password', async () => {
    const examined = async (url: string, networks: string[]) => {
      const broker = { url: [url], networks, prefetch: 4, replyTimeoutSeconds: 5 };
      const checks = brokerChecks({ broker, schema: world.db.schema, sealer: world.running.app.get(Sealer) });
      const lines: string[] = [];
      for await (const { findings } of examine(checks))
        lines.push(...findings.map(({ level, code, message, fix }) => `${level} ${code} ${message} ${fix ?? ''}`));
      return lines;
    };
    const at = (change: (url: URL) => void) => {
      const url = new URL(rabbit.url);
      change(url);
      return examined(url.href, []);
    };
    const [, ours] = await eventually('somebody at the queue', async () => {
      const findings = await examined(rabbit.url, ['fake']);
      return findings[1]?.startsWith('ok') && findings;
    });
    expect(ours).toMatch(/Somebody takes requests from the queue dm3-gateway\.fake\./);
    expect(await examined(rabbit.url, [])).toEqual([expect.stringMatching(/^ok BROKER RabbitMQ [\d.]+ answers/)]);
    for (const look of ['first', 'second']) {
      const [, missing] = await examined(rabbit.url, ['smoke']);
      expect([look, missing]).toEqual([look, expect.stringMatching(/^warning BROKER_QUEUE_MISSING .*--role smoke/)]);
    }
    const [login] = await at((url) => (url.password = 'wrong-word'));
    expect(login).toMatch(/^error BROKER_LOGIN_REFUSED The broker at 127\.0\.0\.1:\d+ does not accept/);
    expect(login).not.toContain('wrong-word');
    expect(await at((url) => (url.pathname = '/nowhere'))).toEqual([
      expect.stringMatching(/^error BROKER_VHOST_REFUSED .*\/nowhere/),
    ]);
    expect(await at((url) => (url.port = '1'))).toEqual([
      expect.stringMatching(/^error BROKER_UNREACHABLE .*:1 does not answer \(ECONNREFUSED\)/),
    ]);
  });

  it('carries attachments, and notices in both directions', async () => {
    const data = `data:text/plain;base64,${Buffer.from('bytes').toString('base64')}`;
    await bob.send({ to: ghostOf('anna'), text: 'see', attachments: [{ name: 'a.txt', data }] });
    await queueIsEmpty();
    expect(arrivedFor('anna')).toMatchObject([{ text: 'see', attachments: ['a.txt'] }]);

    await host.setMood('rita', 'refuse');
    const refused = await bob.send({ to: ghostOf('rita'), text: 'to rita' });
    const { message } = await received('Your message to rita');
    expect(message.metadata.referenceMessageHash).toBe(refused);
    expect(message.message).toBe(
      `${NOTICE_PREFIX} Your message to rita (${ghostOf('rita')}) was not delivered.\n\nThe receiver takes no messages.`,
    );

    const service: ForeignService = await startForeignService(world, { name: 'daves-service.eth' });
    service.mood = 'refuses';
    await world.addPerson('dave.eth', { deliveryService: service.name });
    await host.write({ from: 'nora', to: 'dave.eth', text: 'to dave' });
    await eventually('a notice', async () => arrivedFor('nora').length > 0);
    expect(arrivedFor('nora')).toMatchObject([{ kind: 'notice', text: expect.stringMatching(/^FORWARDING_REFUSED/) }]);
    await host.write({ from: 'robot', to: 'dave.eth', text: 'beep', automatic: true });
    await queueIsEmpty();
    expect(arrivedFor('robot')).toEqual([]);
    await service.stop();
  });

  it('is watched like any other process', async () => {
    expect(await ask(`${host.url}/health/ready`)).toMatchObject({ status: 200, json: { details: { fake: {} } } });
    expect((await ask(`${host.url}/metrics`)).status).toBe(200);
    expect((await ask(`${host.url}/ds/rpc`, { body: {} })).status).toBe(404);
    expect(await ask(`${world.url}/health/ready`)).toMatchObject({ json: { details: { fake: { status: 'up' } } } });
  });

  describeRequests();

  it('loses and doubles nothing when the broker goes and comes back in the middle', async () => {
    const sent: string[] = [];
    const send = async (text: string) => {
      await bob.send({ to: ghostOf(`t${sent.length % 7}`), text });
      sent.push(text);
    };
    for (let number = 0; number < 15; number += 1) await send(`before ${number}`);
    await rabbit.stop();
    for (let number = 0; number < 10; number += 1) await send(`without ${number}`);
    await failsWith('BROKER_UNAVAILABLE');
    const ready = await ask(`${world.url}/health/ready`);
    expect(ready).toMatchObject({
      status: 200,
      json: { details: { fake: { status: 'up', detail: 'The broker cannot be reached.' } } },
    });
    await rabbit.resume();
    for (let number = 0; number < 10; number += 1) await send(`after ${number}`);
    await eventually('something to arrive', async () => arrivedFor('t0').length > 2, { patienceMs: PATIENCE_MS });
    await rabbit.kill();
    await rabbit.resume();
    for (let number = 0; number < 5; number += 1) await send(`again ${number}`);
    await queueIsEmpty();
    const all = Array.from({ length: 7 }, (_, index) => texts(`t${index}`));
    expect(all.flat().sort()).toEqual([...sent].sort());
    for (const [index, each] of all.entries()) {
      expect(each).toEqual(sent.filter((_, position) => position % 7 === index));
    }
  }, 300_000);

  it('has a message once whose answer was lost with its process', async () => {
    await host.stop();
    host = await startHost('remote.marked');
    await bob.send({ to: ghostOf('lena'), text: 'taken and marked' });
    await host.ended();
    expect(texts('lena')).toEqual(['taken and marked']);
    expect(await queued()).toBe(1);
    host = await startHost();
    await queueIsEmpty();
    expect(texts('lena')).toEqual(['taken and marked']);
  }, 120_000);

  it('gets it again under the same id if its process ended before it could write that down', async () => {
    await host.stop();
    host = await startHost('remote.sent');
    await bob.send({ to: ghostOf('mara'), text: 'taken' });
    await host.ended();
    host = await startHost();
    await queueIsEmpty();
    expect(texts('mara')).toEqual(['taken', 'taken']); // what tells them apart is the network's business
    expect(new Set(arrivedFor('mara').map(({ id }) => id)).size).toBe(1);
  }, 120_000);

  it('is not asked twice while it takes its time, and not for what nobody waits for', async () => {
    await host.setMood('stan', 'stall');
    await bob.send({ to: ghostOf('stan'), text: 'slowly' });
    await failsWith('REMOTE_SILENT');
    await failsWith('SEND_UNDER_WAY');
    await host.setMood('stan', 'take');
    await queueIsEmpty();
    expect(texts('stan')).toEqual(['slowly']);

    host.freeze();
    await bob.send({ to: ghostOf('fred'), text: 'frozen' });
    await failsWith('REMOTE_SILENT');
    host.thaw();
    await queueIsEmpty();
    expect(texts('fred')).toEqual(['frozen']);
  }, 120_000);

  it('is taken over by a process that stood by when the one that ran it is killed', async () => {
    const second = await startHost();
    const detail = 'Standing by; another process runs it.';
    expect(await ask(`${second.url}/health/ready`)).toMatchObject({
      status: 200,
      json: { details: { fake: { detail } } },
    });
    await bob.send({ to: ghostOf('gina'), text: 'by the first' });
    await queueIsEmpty();
    await host.kill();
    host = second;
    await bob.send({ to: ghostOf('gina'), text: 'by the second' });
    await queueIsEmpty();
    expect(texts('gina')).toEqual(['by the first', 'by the second']);
    expect(await host.write({ from: 'gina', to: 'bob.eth', text: 'over the second' })).toMatchObject({
      status: 'accepted',
    });
  }, 120_000);

  it('shows the broker nothing', async () => {
    await host.stop();
    await bob.send({ to: ghostOf('sophie'), text: 'For nobody else' });
    await failsWith('REMOTE_SILENT');
    const secrets = new Map([
      ['text', 'For nobody else'],
      ['receiver', 'fake:sophie'],
      ['sender', 'bob.eth'],
    ]);
    const files = filesBelow(rabbit.dataDirectory);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect([file, secretsIn(readFileSync(file), secrets)]).toEqual([file, []]);
    const wired = files.some((file) => readFileSync(file).includes('"sealed":"'));
    expect(wired).toBe(true); // so that this is where it would be
    host = await startHost();
    await queueIsEmpty();
    expect(texts('sophie')).toEqual(['For nobody else']);
  }, 120_000);

  function describeRequests(): void {
    let packets: PacketSealer;
    let queue: ReturnType<typeof queueOptions>;
    beforeEach(() => {
      const sealer = world.running.app.get(Sealer);
      packets = new PacketSealer(sealer, FAKE);
      const broker = world.running.runtime.settings.broker!;
      queue = queueOptions({ broker, network: FAKE, schema: world.db.schema, sealer });
    });

    /** Puts packets into the queue as a worker does. @returns the answers, opened where that is possible */
    const request = async (data: readonly unknown[], times = 1): Promise<unknown[]> => {
      const connection = await connect(rabbit.url);
      const channel = await connection.createChannel();
      const { queue: replyTo } = await channel.assertQueue('', { exclusive: true });
      const answers: unknown[] = [];
      await channel.consume(replyTo, (message) => answers.push(JSON.parse(message!.content.toString())), {
        noAck: true,
      });
      for (const each of data) {
        const content = Buffer.from(JSON.stringify({ pattern: CALL, data: each, id: randomUUID() }));
        for (let copy = 0; copy < times; copy += 1) {
          channel.sendToQueue(queue.queue!, content, { replyTo, correlationId: '1', persistent: true });
        }
      }
      await eventually('all answers', async () => answers.length === data.length * times);
      await connection.close();
      return answers.map((answer) => openAnswer((answer as { response: SealedPacket }).response));
    };
    const openAnswer = (packet: unknown) => {
      try {
        return packets.open('answer', packet).json;
      } catch {
        return packet;
      }
    };
    const sendRequest = async (name: string, seconds = 30) => {
      const until = await remoteSendStore.deadline(world.db, seconds);
      const rendering = await face.render({
        id: randomUUID().replaceAll('-', '').repeat(2),
        from: world.bob,
        to: face.address(name),
        message: { type: 'new', text: 'made here', attachments: [], sentAt: 0 },
        conversation: null,
        target: null,
      });
      return requestToJson({ until, call: { call: 'send', rendering } });
    };

    it('takes a request that comes several times once', async () => {
      const id = randomUUID();
      const answers = await request([packets.seal('request', id, await sendRequest('dora'))], 6);
      const isDone = (answer: unknown) => 'done' in (answer as object);
      expect(answers.some(isDone)).toBe(true);
      for (const answer of answers.filter((each) => !isDone(each))) {
        expect(answer).toMatchObject({ error: { code: 'SEND_UNDER_WAY', retryable: true, certainty: 'uncertain' } });
      }
      expect(await request([packets.seal('request', id, await sendRequest('doris'))])).toEqual([{ done: true }]);
      expect(texts('dora')).toEqual(['made here']);
    });

    it('takes the same message once, whichever requests bring it', async () => {
      const json = await sendRequest('ella');
      expect(await request([packets.seal('request', randomUUID(), json)])).toEqual([{ done: true }]);
      expect(await request([packets.seal('request', randomUUID(), json)])).toEqual([{ done: true }]);
      expect(texts('ella')).toEqual(['made here']);
    });

    it('takes nothing that nobody waits for any more', async () => {
      const late = await sendRequest('late', -1);
      expect(await request([packets.seal('request', randomUUID(), late)])).toMatchObject([
        { error: { code: 'REQUEST_LATE', retryable: true, certainty: 'certain' } },
      ]);
      expect(texts('late')).toEqual([]);
    });

    it('answers what it cannot use, and goes on', async () => {
      const { sealed } = packets.seal('request', randomUUID(), await sendRequest('eve'));
      const unusable = { error: { code: 'REQUEST_UNUSABLE', retryable: true } };
      expect(await request([{ id: randomUUID(), sealed }])).toMatchObject([unusable]); // another request's bytes
      expect(await request([{ id: randomUUID(), sealed: 'AAAA' }])).toMatchObject([unusable]);
      expect(await request([{}, 'text', 7])).toEqual([{ refused: true }, { refused: true }, { refused: true }]);
      const other = { version: 2, until: 'never', call: { call: 'dance' } };
      expect(await request([packets.seal('request', randomUUID(), other)])).toMatchObject([unusable]);
      expect(await request([packets.seal('request', randomUUID(), await sendRequest('eve'))])).toEqual([
        { done: true },
      ]);
      expect(texts('eve')).toEqual(['made here']);
    });
  }
});

function filesBelow(dir: string): string[] {
  const entries = readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((name) => path.join(dir, name));
  return entries.filter((file) => statSync(file).isFile());
}
