import { GatewayError } from '../../common/errors.js';
import type { LinkDesk, LinkOffer, LinkSigner } from '../../gateway/adapter/adapter.js';
import { toForeign } from './address.js';

interface Parts {
  /** Undefined where the core links nobody. */
  readonly desk: LinkDesk | undefined;
}

/** What people call the two kinds of signature. */
const SIGNERS: Readonly<Record<string, LinkSigner>> = { wallet: 'wallet', dm3: 'profile' };
const KEYS: Readonly<Record<LinkSigner, string>> = {
  wallet: 'the wallet that the name resolves to (`personal_sign`)',
  profile: 'the signing key of its dm3 profile (Ed25519, base64)',
};
/** What people leave around a signature they paste. */
const WRAPPING = /[`'"<>“”‘’]/g;

/** `!dm3 link` and `!dm3 unlink`: whoever writes them is who the homeserver says, and his ENS name's owner signs. */
export class MatrixLinking {
  constructor(private readonly parts: Parts) {}

  /**
   * The answer to `!dm3 link …`, markdown. Asked again after a crash, it is the same.
   * @param sender `@alice:hs.org`, as the homeserver names who wrote it
   * @param args the words after `link`
   * @throws GatewayError where it may be answered later
   */
  answer(sender: string, args: readonly string[]): Promise<string> {
    return this.#worded(async (desk) => {
      const [name, ...rest] = args;
      if (name === undefined) return this.#state(desk, sender);
      const kind = SIGNERS[rest[0]?.toLowerCase() ?? ''];
      const signature = rest
        .slice(kind ? 1 : 0)
        .join('')
        .replace(WRAPPING, '');
      if (signature !== '') return linked(sender, await desk.finish(toForeign(sender), bare(name), signature));
      return howToSign(await desk.begin(toForeign(sender), bare(name), kind ?? 'wallet'));
    });
  }

  /** The answer to `!dm3 unlink`. @throws GatewayError where it may be answered later */
  unlink(sender: string): Promise<string> {
    return this.#worded(async (desk) => {
      const name = await desk.remove(toForeign(sender));
      return name === null
        ? `${sender} is not linked with a dm3 name.`
        : `The link is removed: nobody is told any more that ${sender} is ${name}.`;
    });
  }

  async #state(desk: LinkDesk, sender: string): Promise<string> {
    const name = await desk.of(toForeign(sender));
    const begun = await desk.begun(toForeign(sender));
    const state = name === null ? notLinked(sender) : `${linked(sender, name)} \`!dm3 unlink\` takes it back.`;
    return begun ? `${state}\n\nA link with ${begun.name} waits for a signature. ${howToSign(begun)}` : state;
  }

  async #worded(work: (desk: LinkDesk) => Promise<string>): Promise<string> {
    const { desk } = this.parts;
    if (!desk) return 'This gateway links nobody with dm3 names.';
    try {
      return await work(desk);
    } catch (error) {
      if (!(error instanceof GatewayError) || error.retryable) throw error;
      return error.code === 'LINK_NOT_BEGUN' ? NOT_BEGUN : error.message;
    }
  }
}

const NOT_BEGUN =
  'There is no such link to be signed: it was never begun by you, is made already, or its time is over. `!dm3 link <name>` begins one.';

function notLinked(sender: string): string {
  return `${sender} is not linked with a dm3 name. \`!dm3 link <name>\` begins it, for example \`!dm3 link bob.eth\`.`;
}

function linked(sender: string, name: string): string {
  return `${sender} is linked with ${name}.`;
}

function howToSign({ name, signer, text, secondsLeft }: LinkOffer): string {
  const other = signer === 'wallet' ? 'dm3' : 'wallet';
  return [
    `Sign this text, exactly and without a line break at its end, with ${KEYS[signer]}:`,
    ['```', text, '```'].join('\n'),
    `Then say \`!dm3 link ${name} <signature>\` here, within ${Math.max(1, Math.floor(secondsLeft / 60))} minutes.`,
    `(\`!dm3 link ${name} ${other}\` if you would rather sign with ${KEYS[SIGNERS[other]!]}.)`,
  ].join('\n\n');
}

/** Clients make links of names. */
function bare(name: string): string {
  return name
    .replace(WRAPPING, '')
    .replace(/^https?:\/\//i, '')
    .replace(/\/$/, '');
}
