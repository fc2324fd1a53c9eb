import { HakoError } from '../../base/errors.ts';

const maxDepth = 8;
const maxDocuments = 256;
const maxBytes = 32 * 2 ** 20;

/** How much of a graph of indexes is read before it is called an attack: a small file can describe a huge one (CVE-2026-53493). */
export class GraphBudget {
  #documents = 0;
  #bytes = 0;

  /** @throws HakoError `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED` */
  spend(depth: number, bytes: number): void {
    this.#documents++;
    this.#bytes += bytes;
    if (depth > maxDepth || this.#documents > maxDocuments || this.#bytes > maxBytes) {
      throw new HakoError(
        'ARCHIVE_LIMIT_EXCEEDED',
        `The image's indexes are nested more than ${maxDepth} deep, or lead to more than ${maxDocuments} documents or ${maxBytes} bytes of them.`,
      );
    }
  }
}
