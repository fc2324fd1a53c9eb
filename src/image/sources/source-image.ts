import type { ExpectedContent } from '../../content/content-store.ts';
import type { Descriptor } from '../../oci/descriptor.ts';

/** An image as a source has it: small documents read and checked, layers yet to be fetched. */
export interface SourceImage {
  /** How the source calls it; not yet checked or completed. */
  readonly names: readonly string[];
  readonly config: Uint8Array;
  /** null: the source has none of its own (Docker's older archives), so hako writes one when it knows the layers. */
  readonly manifest: SourceManifest | null;
  /** From the lowest up; as many as the config has diffIDs. */
  readonly layers: readonly SourceLayer[];
}

export interface SourceManifest {
  readonly descriptor: Descriptor;
  readonly content: Uint8Array;
  readonly config: Descriptor;
}

export interface SourceLayer {
  /** null: told by the first bytes. */
  readonly mediaType: string | null;
  readonly expected: ExpectedContent;
  content(): AsyncIterable<Uint8Array>;
}
