// The part of web-push we call; the package brings no types.
declare module 'web-push' {
  const webPush: {
    /** Encrypts the payload (RFC 8291) and signs the request (RFC 8292); sends nothing. */
    generateRequestDetails(
      subscription: { readonly endpoint: string; readonly keys: { readonly p256dh: string; readonly auth: string } },
      payload: string,
      options: {
        readonly vapidDetails: { readonly subject: string; readonly publicKey: string; readonly privateKey: string };
        /** Seconds. */
        readonly TTL: number;
        readonly topic: string;
      },
    ): { readonly headers: Readonly<Record<string, string | number>>; readonly body: Buffer };
  };
  export default webPush;
}
