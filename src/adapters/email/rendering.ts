/** A finished mail and its envelope: what `Rendering.body` holds as JSON. */
export interface RenderedMail {
  readonly envelope: { readonly from: string; readonly to: string };
  readonly raw: Buffer;
}

export function encodeMail({ envelope, raw }: RenderedMail): Uint8Array {
  return Buffer.from(JSON.stringify({ envelope, raw: raw.toString('base64') }));
}

/** Reads only what `encodeMail` wrote. */
export function decodeMail(body: Uint8Array): RenderedMail {
  const { envelope, raw } = JSON.parse(Buffer.from(body).toString()) as {
    envelope: RenderedMail['envelope'];
    raw: string;
  };
  return { envelope, raw: Buffer.from(raw, 'base64') };
}
