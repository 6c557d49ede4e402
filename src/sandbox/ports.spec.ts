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

/** A run of free ports: others on this machine may sit beside any one free port. */
async function freeBase(): Promise<number> {
  for (;;) {
    const base = Math.min(await freePort(), 65_000);
    const ports = await choosePorts({ base }).catch(() => null);
    if (ports !== null) return base;
  }
}
