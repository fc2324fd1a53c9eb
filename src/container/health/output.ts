const mostOutput = 4096;

/** The beginning of what a check says; the rest is read and left out. */
export class Output {
  readonly #chunks: Buffer[] = [];
  #length = 0;

  add(chunk: Buffer): void {
    const room = mostOutput - this.#length;
    if (room > 0) this.#chunks.push(Buffer.from(chunk.subarray(0, room)));
    this.#length += chunk.length;
  }

  /** Nothing that comes now would be told. */
  get isFull(): boolean {
    return this.#length > mostOutput;
  }

  text(): string {
    const text = Buffer.concat(this.#chunks).toString();
    return this.isFull ? `${text}...` : text;
  }
}
