import { CODE_MINUTES } from '../../delivery/notifications/one-time-codes.js';
import type { Letter } from './link-codes.js';

/** Who and where, for the people who read the letters. */
interface Facts {
  /** `alice@example.com` */
  readonly shown: string;
  /** `alice.eth` */
  readonly name: string;
  /** The host of this gateway. */
  readonly host: string;
}

const codeLine = (code: string) => `Your code is ${code}. It is good for ${CODE_MINUTES} minutes.`;

/** Asks the owner of an address whether he is the owner of a dm3 name, too. */
export const linkLetter =
  ({ shown, name, host }: Facts) =>
  (code: string): Letter => ({
    subject: 'Is this dm3 name yours?',
    text: letter(
      codeLine(code),
      '',
      `The owner of the dm3 name ${name} says that ${shown} is the same person.`,
      `If you type the code in, ${host} tells everybody so.`,
      'If that was not you, ignore this mail: without the code nothing follows.',
    ),
  });

/** Asks him whether that shall no longer be told. */
export const removalLetter =
  ({ shown, name, host }: Facts) =>
  (code: string): Letter => ({
    subject: 'Remove the link with your dm3 name?',
    text: letter(
      codeLine(code),
      '',
      `${host} tells everybody that ${shown} and the dm3 name ${name} are the same person.`,
      'If you type the code in, it stops doing so.',
      'If that was not you, ignore this mail: without the code all stays as it is.',
    ),
  });

function letter(...lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
