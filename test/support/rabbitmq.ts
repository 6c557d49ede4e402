import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { connect } from 'amqplib';
import { freePort, LOOPBACK } from '../../src/sandbox/ports.js';
import { postgresAccount, type Account } from '../../src/sandbox/postgres-account.js';
import { eventually } from './eventually.js';

/** Debian's own script insists on its account and its folders; the server's script beside it does not. */
const SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';

/** Erlang takes its time on a machine that does other things. */
const START_PATIENCE_MS = 90_000;

const CONFIG = ['disk_free_limit.absolute = 50MB', 'log.console = false', 'log.file.level = warning', ''].join('\n');

/**
 * A RabbitMQ of the suite's own: its ports, its names and its data are nobody else's, and it listens on loopback only.
 * It can be stopped and killed, and comes back with what it had on disk.
 */
export class RabbitMq {
  #server: ChildProcess | undefined;
  #names: ChildProcess | undefined;

  private constructor(
    private readonly home: string,
    readonly port: number,
    private readonly env: Readonly<Record<string, string>>,
    private readonly account: Account | null,
  ) {}

  /** Running. */
  static async start(): Promise<RabbitMq> {
    const home = fs.mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-rabbitmq-'));
    const account = postgresAccount(home); // whoever may run a database may run a broker
    const ports = { amqp: await freePort(), names: await freePort(), nodes: await freePort() };
    fs.writeFileSync(path.join(home, 'rabbitmq.conf'), CONFIG);
    fs.writeFileSync(path.join(home, 'plugins'), '[].\n');
    if (account) fs.chownSync(home, account.uid, account.gid);
    const rabbit = new RabbitMq(home, ports.amqp, environment(home, ports), account);
    await rabbit.resume();
    return rabbit;
  }

  get url(): string {
    return `amqp://guest:guest@${LOOPBACK}:${this.port}`;
  }

  /** What it keeps on disk. */
  get dataDirectory(): string {
    return path.join(this.home, 'data');
  }

  /** Starts it again, with what it had. */
  async resume(): Promise<void> {
    await this.#startNames();
    const server = (this.#server = this.#spawn(SERVER, []));
    const isThere = async () => {
      if (server.exitCode !== null) throw new Error(`RabbitMQ ended with ${server.exitCode}: ${this.#log()}`);
      return answers(this.url);
    };
    await eventually('RabbitMQ', isThere, { patienceMs: START_PATIENCE_MS });
  }

  /** Asked to, it closes its connections and ends. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** No handler runs. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  async remove(): Promise<void> {
    await this.kill();
    this.#names?.kill('SIGKILL');
    fs.rmSync(this.home, { recursive: true, force: true });
  }

  /** Before the server, which would leave one of its own behind. */
  async #startNames(): Promise<void> {
    if (this.#names) return;
    const port = this.env['ERL_EPMD_PORT']!;
    this.#names = this.#spawn('epmd', ['-address', LOOPBACK, '-port', port]);
    await eventually('epmd', () => isListening(Number(port)));
  }

  /** In a process group of its own: the script stays the parent of what it starts. */
  #spawn(program: string, args: readonly string[]): ChildProcess {
    const env = { PATH: process.env['PATH'], ...this.env };
    return spawn(program, args, { cwd: this.home, env, detached: true, stdio: 'ignore', ...this.account });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const server = this.#server;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    process.kill(-server.pid!, signal);
    await ended;
  }

  #log(): string {
    const dir = path.join(this.home, 'log');
    const files = fs.existsSync(dir) ? fs.readdirSync(dir) : [];
    return files.map((file) => fs.readFileSync(path.join(dir, file), 'utf8')).join('\n');
  }
}

function environment(home: string, ports: { amqp: number; names: number; nodes: number }): Record<string, string> {
  return {
    HOME: home, // its cookie
    RABBITMQ_NODENAME: `gateway${ports.amqp}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: LOOPBACK,
    RABBITMQ_NODE_PORT: String(ports.amqp),
    RABBITMQ_DIST_PORT: String(ports.nodes),
    ERL_EPMD_PORT: String(ports.names),
    ERL_EPMD_ADDRESS: LOOPBACK,
    RABBITMQ_MNESIA_BASE: path.join(home, 'data'),
    RABBITMQ_LOG_BASE: path.join(home, 'log'),
    RABBITMQ_PID_FILE: path.join(home, 'pid'),
    RABBITMQ_CONFIG_FILE: path.join(home, 'rabbitmq'),
    RABBITMQ_CONF_ENV_FILE: path.join(home, 'none'),
    RABBITMQ_ENABLED_PLUGINS_FILE: path.join(home, 'plugins'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}',
  };
}

async function isListening(port: number): Promise<boolean> {
  const socket = net.connect(port, LOOPBACK);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    await (await connect(url)).close();
    return true;
  } catch {
    return false;
  }
}
