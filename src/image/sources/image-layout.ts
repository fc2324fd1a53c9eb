import { type Digest, digestHex, digestOf } from '../../base/digest.ts';
import { HakoError } from '../../base/errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { parseImageConfig } from '../../oci/image-config.ts';
import { parseImageIndex } from '../../oci/image-index.ts';
import { checkImageLayout, imageIndexFile, imageLayoutFile, referenceAnnotations } from '../../oci/image-layout.ts';
import { parseManifest } from '../../oci/manifest.ts';
import { isIndexMediaType, isManifestMediaType } from '../../oci/media-types.ts';
import { formatPlatform, type Platform, platformRank } from '../../oci/platform.ts';
import { maxDocumentBytes } from '../../oci/schema.ts';
import { GraphBudget } from './graph-budget.ts';
import { type ImageFiles, readSmallFile } from './image-files.ts';
import type { SourceImage, SourceLayer } from './source-image.ts';

/** A manifest that was found, and what is known of it without its config. */
interface Candidate {
  readonly descriptor: Descriptor;
  readonly content: Uint8Array;
  readonly platform: Platform;
}

/**
 * Reads the images of an OCI image layout (image-layout.md): one for each entry of its index.json that suits
 * `machine`. An entry may be an index of several platforms, nested to any sane depth.
 *
 * @throws HakoError `HAKO_ERR_INVALID_IMAGE`, `HAKO_ERR_BLOB_DIGEST_MISMATCH`, `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED`
 */
export async function readImageLayout(files: ImageFiles, machine: Platform): Promise<readonly SourceImage[]> {
  checkImageLayout(await readSmallFile(files, imageLayoutFile, 4096));
  const budget = new GraphBudget();
  const index = parseImageIndex(await readSmallFile(files, imageIndexFile, maxDocumentBytes), imageIndexFile);
  const found: { entry: Descriptor; best: Candidate }[] = [];
  const others = new Set<string>();
  for (const entry of index.manifests) {
    const candidates = await collect(files, entry, budget, 1);
    for (const { platform } of candidates) others.add(formatPlatform(platform));
    const best = bestFor(candidates, machine);
    if (best !== null) found.push({ entry, best });
  }
  if (found.length === 0) {
    const what = others.size === 0 ? 'no image at all' : `images for ${[...others].slice(0, 20).join(', ')} only`;
    throw new HakoError(
      'INVALID_IMAGE',
      `The image layout has ${what}; this machine is ${formatPlatform(machine)}. Get the image for this platform.`,
    );
  }
  return Promise.all(mergeEntries(found).map(({ candidate, names }) => readImage(files, candidate, names)));
}

async function collect(
  files: ImageFiles,
  entry: Descriptor,
  budget: GraphBudget,
  depth: number,
): Promise<readonly Candidate[]> {
  const isIndex = isIndexMediaType(entry.mediaType);
  if (!isIndex && (!isManifestMediaType(entry.mediaType) || isOtherArtifact(entry))) return [];
  budget.spend(depth, entry.size);
  // A save of one platform keeps the index of all: what it does not have is not for this machine.
  if (depth > 1 && (await files.find(blobName(entry.digest))) === null) return [];
  const content = await readBlob(files, entry);
  if (isIndex) {
    const candidates: Candidate[] = [];
    for (const next of parseImageIndex(content, `image index ${entry.digest}`, entry.mediaType).manifests) {
      candidates.push(...(await collect(files, next, budget, depth + 1)));
    }
    return candidates;
  }
  const manifest = parseManifest(content, entry);
  if (entry.platform !== undefined) return [{ descriptor: entry, content, platform: entry.platform }];
  budget.spend(depth, manifest.config.size);
  const config = parseImageConfig(await readBlob(files, manifest.config), `image config ${manifest.config.digest}`);
  return [{ descriptor: entry, content, platform: config.platform }];
}

/** Build attestations stand among the images, under a platform that no machine has. */
function isOtherArtifact(entry: Descriptor): boolean {
  return (
    entry.artifactType !== undefined ||
    entry.platform?.os === 'unknown' ||
    entry.annotations?.['vnd.docker.reference.type'] !== undefined
  );
}

function bestFor(candidates: readonly Candidate[], machine: Platform): Candidate | null {
  const ranked = candidates.flatMap((candidate) => {
    const rank = platformRank(candidate.platform, machine);
    return rank === null ? [] : [{ candidate, rank }];
  });
  return ranked.sort((one, other) => one.rank - other.rank)[0]?.candidate ?? null;
}

/** Docker lists an image once for each of its names. */
function mergeEntries(
  found: readonly { entry: Descriptor; best: Candidate }[],
): readonly { candidate: Candidate; names: readonly string[] }[] {
  const merged = new Map<Digest, { candidate: Candidate; names: string[] }>();
  for (const { entry, best } of found) {
    const image = merged.get(best.descriptor.digest) ?? { candidate: best, names: [] };
    const name = entry.annotations?.[referenceAnnotations.containerd] ?? entry.annotations?.[referenceAnnotations.oci];
    if (name !== undefined) image.names.push(name);
    merged.set(best.descriptor.digest, image);
  }
  return [...merged.values()];
}

async function readImage(
  files: ImageFiles,
  { descriptor, content }: Candidate,
  names: readonly string[],
): Promise<SourceImage> {
  const manifest = parseManifest(content, descriptor);
  const layers = manifest.layers.map(
    (layer): SourceLayer => ({
      mediaType: layer.mediaType,
      expected: { digest: layer.digest, size: layer.size },
      content: () => blobContent(files, layer),
    }),
  );
  return {
    names,
    config: await readBlob(files, manifest.config),
    manifest: { descriptor, content, config: manifest.config },
    layers,
  };
}

async function* blobContent(files: ImageFiles, { digest }: Descriptor): AsyncGenerator<Uint8Array> {
  const file = await files.find(blobName(digest));
  if (file === null)
    throw new HakoError(
      'INVALID_IMAGE',
      `The image layout has no layer ${digest}. It is incomplete: save or copy it again.`,
    );
  yield* file.content();
}

async function readBlob(files: ImageFiles, descriptor: Descriptor): Promise<Uint8Array> {
  const content = await readSmallFile(files, blobName(descriptor.digest), maxDocumentBytes);
  if (content.byteLength !== descriptor.size || digestOf(content) !== descriptor.digest) {
    throw new HakoError(
      'BLOB_DIGEST_MISMATCH',
      `The image's blob ${descriptor.digest} is damaged: its content has the digest ${digestOf(content)} and ${content.byteLength} bytes, not ${descriptor.size}. Save or copy it again.`,
    );
  }
  return content;
}

const blobName = (digest: Digest): string => `blobs/sha256/${digestHex(digest)}`;
