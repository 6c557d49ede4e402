import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../test/support/eventually.js';
import { HttpDoor } from './http-door.js';

const ASK = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const PATIENCE_MS = 60_000;

let door: HttpDoor;
let port: number;
let asked: ServerResponse[];
let clients: Client[];

beforeEach(async () => {
  [asked, clients] = [[], []];
  const server = createServer((_, response) => void asked.push(response));
  server.keepAliveTimeout = PATIENCE_MS;
  door = new HttpDoor(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  for (const { socket } of clients) socket.destroy();
  await door.close(1);
});

class Client {
  text = '';
  closed = false;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8').on('data', (chunk: string) => (this.text += chunk));
    socket.on('error', () => {}).once('close', () => (this.closed = true));
  }

  static async connect(): Promise<Client> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const client = new Client(socket);
    clients.push(client);
    return client;
  }

  async ask(): Promise<ServerResponse> {
    const before = asked.length;
    this.socket.write(ASK);
    return eventually('the request', async () => asked[before]);
  }

  hears(text: string): Promise<unknown> {
    return eventually(text, async () => this.text.includes(text));
  }
}

const refuses = async (): Promise<boolean> => {
  const socket = connect(port, '127.0.0.1');
  const refused = await once(socket, 'connect').then(
    () => false,
    () => true,
  );
  socket.destroy();
  return refused;
};

describe('HttpDoor', () => {
  it('goes on taking connections before it closes, but each answer is the last one of its connection', async () => {
    const early = await Client.connect();
    const answer = await early.ask();
    door.leave();
    answer.end('early');
    await early.hears('connection: close');
    const late = await Client.connect();
    (await late.ask()).end('late');
    await late.hears('connection: close');
    await eventually('both to end', async () => early.closed && late.closed);
  });

  it('takes no connections when it closes, and waits for the answers it owes', async () => {
    const client = await Client.connect();
    const answer = await client.ask();
    let closed = false;
    const closing = door.close(PATIENCE_MS).finally(() => (closed = true));
    await eventually('a closed door', refuses);
    expect(closed).toBe(false);
    answer.end('at last');
    await client.hears('at last');
    expect(await closing).toBe(0);
    expect(client.text).toMatch(/^connection: close\r$/im);
  });

  it('ends a connection after an answer whose head had gone out before', async () => {
    const client = await Client.connect();
    const answer = await client.ask();
    answer.write('half');
    await client.hears('half');
    const closing = door.close(PATIENCE_MS);
    answer.end('whole');
    expect(await closing).toBe(0);
    await client.hears('whole');
    expect(client.text).toMatch(/^connection: keep-alive\r$/im);
  });

  it('hangs up on those who ask nothing', async () => {
    const [silent, idle] = [await Client.connect(), await Client.connect()];
    (await idle.ask()).end('answered');
    await idle.hears('answered');
    expect(await door.close(PATIENCE_MS)).toBe(0);
    await eventually('both to end', async () => silent.closed && idle.closed);
  });

  it('cuts off what takes too long, and says how much', async () => {
    const client = await Client.connect();
    await client.ask();
    expect(await door.close(50)).toBe(1);
    await eventually('the end', async () => client.closed);
  });
});
