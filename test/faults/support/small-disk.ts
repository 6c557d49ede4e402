import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A file system of its own that is soon full. Only who may mount has one. */
export class SmallDisk {
  private constructor(readonly folder: string) {}

  /** @throws where that is not permitted */
  static mount(megabytes: number): SmallDisk {
    const disk = new SmallDisk(mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-faults-disk-')));
    const options = `size=${megabytes}m,mode=0711`;
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'dm3-gateway-faults', disk.folder]);
    if (status === 0) return disk;
    rmSync(disk.folder, { recursive: true });
    throw new Error(`There is no file system of its own: ${stderr}`);
  }

  /** Whether this process may mount; tried, since capabilities and containers have their own ideas. */
  static isPermitted(): boolean {
    try {
      SmallDisk.mount(1).unmount();
      return true;
    } catch {
      return false;
    }
  }

  /** Not a byte is left. */
  fill(): void {
    const file = openSync(this.#ballast, 'a');
    try {
      for (const size of [2 ** 20, 4_096, 1]) while (isWritten(file, Buffer.alloc(size, 1)));
    } finally {
      closeSync(file);
    }
  }

  empty(): void {
    rmSync(this.#ballast, { force: true });
  }

  unmount(): void {
    spawnSync('umount', ['-l', this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #ballast(): string {
    return path.join(this.folder, 'ballast');
  }
}

function isWritten(file: number, bytes: Buffer): boolean {
  try {
    return writeSync(file, bytes) === bytes.length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}
