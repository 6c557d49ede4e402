import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { choosePorts, freePort, LOOPBACK, PortBaseError, PortBusyError } from './ports.js';

describe('choosePorts', () => {
  it('numbers the ports from the base', async () => {
    const base = await freeBase();
    expect(await choosePorts({ base })).toEqual({
      http: base,
      admin: base + 1,
      smtp: base + 2,
      chain: base + 3,
      capturedMail: base + 4,
      capturedSmtp: base + 5,
    });
  });

  it('names the port that is in use and the way out', async () => {
    const base = await freeBase();
    const squatter = net.createServer().listen(base + 2, LOOPBACK);
    await once(squatter, 'listening');
    const message = `Port ${base + 2} (SMTP) is in use; free it or choose others with --port-base N.`;
    await expect(choosePorts({ base })).rejects.toThrow(new PortBusyError({ port: base + 2, use: 'SMTP' }));
    await expect(choosePorts({ base })).rejects.toThrow(message);
    squatter.close();
    await once(squatter, 'close');
  });

  it.each([0, 1023, 65_531, 8000.5, Number.NaN])('refuses %p as base', async (base) => {
    await expect(choosePorts({ base })).rejects.toThrow(PortBaseError);
  });
});

describe('freePort', () => {
  /** Draws these first. */
  const drawing = (...ports: number[]) => {
    return () => ports.shift() ?? randomInt(10_000, 32_768);
  };

  it('gives nobody what it has given to somebody who has not opened it yet', async () => {
    const given = [await freePort(), await freePort()];
    expect(given).not.toContain(await freePort(drawing(...given)));
  });

  it('passes over a port that is in use', async () => {
    const server = net.createServer().listen(0, LOOPBACK);
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    expect(await freePort(drawing(port))).not.toBe(port);
    server.close();
    await once(server, 'close');
  });
});

/** A run of free ports: others on this machine may sit beside any one free port. */
async function freeBase(): Promise<number> {
  for (;;) {
    const base = Math.min(await freePort(), 65_000);
    const ports = await choosePorts({ base }).catch(() => null);
    if (ports !== null) return base;
  }
}
