/** What the resolver contract takes as proof, and until when (Unix time in seconds). */
export interface SignedAnswer {
  /** `0x`-hex. */
  readonly data: string;
  readonly expires: number;
}

/** Clients choose how long requests and answers get, so the bound is not a number of entries. */
const MAX_CHARACTERS = 32_000_000;

/** Signed answers by request; the least recently asked for is forgotten first. */
export class AnswerCache {
  readonly #answers = new Map<string, SignedAnswer>();
  #characters = 0;

  constructor(private readonly maxCharacters = MAX_CHARACTERS) {}

  /** The answer kept for a request if it holds for longer than until `after` (Unix time in seconds), else null. */
  take(request: string, after: number): SignedAnswer | null {
    const answer = this.#answers.get(request);
    if (!answer) return null;
    this.#remove(request, answer);
    if (answer.expires <= after) return null;
    this.keep(request, answer);
    return answer;
  }

  keep(request: string, answer: SignedAnswer): void {
    const former = this.#answers.get(request);
    if (former) this.#remove(request, former);
    this.#answers.set(request, answer);
    this.#characters += sizeOf(request, answer);
    while (this.#characters > this.maxCharacters) {
      const [oldest] = this.#answers;
      this.#remove(...oldest!);
    }
  }

  #remove(request: string, answer: SignedAnswer): void {
    this.#answers.delete(request);
    this.#characters -= sizeOf(request, answer);
  }
}

function sizeOf(request: string, { data }: SignedAnswer): number {
  return request.length + data.length;
}
