import type { WriteStream } from 'node:tty';

const STEPS = 10;

/** Shows how far something is: on a terminal in one line that changes, else in a line for each tenth of the way. */
export function progressLine(out: Pick<WriteStream, 'isTTY' | 'write'>): (text: string, share: number) => void {
  let step = 0;
  return (text, share) => {
    const line = `${text}, ${Math.floor(share * 100)} %`;
    if (out.isTTY) out.write(`\r\u001b[K${line}${share === 1 ? '\n' : ''}`);
    else if (share * STEPS >= step + 1) out.write(`${line}\n`);
    step = Math.floor(share * STEPS);
  };
}
