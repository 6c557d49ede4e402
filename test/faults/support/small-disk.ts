import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A file system of its own that is soon full. Only who may mount can have one. */
export class SmallDisk {
  private constructor(readonly folder: string) {}

  /** Null where mounting is not permitted. */
  static mount(megabytes: number): SmallDisk | null {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-faults-disk-'));
    const options = `size=${megabytes}m,mode=0711`;
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'dm3-gateway-faults', folder]);
    if (status === 0) return new SmallDisk(folder);
    rmSync(folder, { recursive: true });
    return null;
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
