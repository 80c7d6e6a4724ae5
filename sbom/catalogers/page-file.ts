/** A database file as pages of one size, counted from 0. What was cut off at its end is no page. */
export class PageFile {
  readonly pageBytes: number;
  readonly pages: number;
  readonly #bytes: Buffer;
  readonly #taken: Uint8Array;

  constructor(bytes: Buffer, pageBytes: number) {
    this.#bytes = bytes;
    this.pageBytes = pageBytes;
    this.pages = Math.floor(bytes.length / pageBytes);
    this.#taken = new Uint8Array(this.pages);
  }

  at(page: number): Buffer | undefined {
    if (!(page >= 0 && page < this.pages)) return undefined;
    return this.#bytes.subarray(page * this.pageBytes, (page + 1) * this.pageBytes);
  }

  /**
   * A page that belongs to one row or one table only: nobody gets it a second time, so that damaged links lead neither
   * in circles nor to the same pages over and over.
   */
  take(page: number): Buffer | undefined {
    if (this.#taken[page] !== 0) return undefined;
    this.#taken[page] = 1;
    return this.at(page);
  }
}
