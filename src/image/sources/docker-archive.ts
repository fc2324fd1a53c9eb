import { HakoError } from '../../base/errors.ts';
import { type DockerArchiveEntry, dockerArchiveFile, parseDockerArchiveManifest } from '../../oci/docker-archive.ts';
import { parseImageConfig } from '../../oci/image-config.ts';
import { formatPlatform, type Platform, platformRank } from '../../oci/platform.ts';
import { maxDocumentBytes } from '../../oci/schema.ts';
import { type ImageFiles, readSmallFile } from './image-files.ts';
import type { SourceImage, SourceLayer } from './source-image.ts';

/**
 * Reads the images of an archive of `docker save` or `podman save` in Docker's own form: manifest.json, configs, and layers
 * that only the diffIDs of the config vouch for (checked when they are unpacked).
 *
 * @throws HakoError `HAKO_ERR_INVALID_IMAGE`, `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED`
 */
export async function readDockerArchive(files: ImageFiles, machine: Platform): Promise<readonly SourceImage[]> {
  const entries = parseDockerArchiveManifest(await readSmallFile(files, dockerArchiveFile, maxDocumentBytes));
  if (entries.length === 0)
    throw new HakoError('INVALID_IMAGE', 'The archive holds no image: its manifest.json is an empty list.');
  return Promise.all(entries.map((entry) => readImage(files, entry, machine)));
}

async function readImage(files: ImageFiles, entry: DockerArchiveEntry, machine: Platform): Promise<SourceImage> {
  const content = await readSmallFile(files, entry.config, maxDocumentBytes);
  const config = parseImageConfig(content, `image config '${entry.config.slice(0, 100)}'`);
  if (platformRank(config.platform, machine) === null) {
    throw new HakoError(
      'INVALID_IMAGE',
      `The archive's image is for ${formatPlatform(config.platform)}; this machine is ${formatPlatform(machine)}. Get the image for this platform.`,
    );
  }
  if (config.diffIds.length !== entry.layers.length) {
    throw new HakoError(
      'INVALID_IMAGE',
      `The archive's image has ${entry.layers.length} layers, but its config speaks of ${config.diffIds.length}. It is damaged: save it again.`,
    );
  }
  return {
    names: entry.repoTags,
    config: content,
    manifest: null,
    layers: await Promise.all(entry.layers.map((name) => readLayer(files, name))),
  };
}

async function readLayer(files: ImageFiles, name: string): Promise<SourceLayer> {
  const file = await files.find(name);
  if (file === null)
    throw new HakoError(
      'INVALID_IMAGE',
      `The archive has no layer '${name.slice(0, 200)}'. It is incomplete: save it again.`,
    );
  return { mediaType: null, expected: { size: file.size }, content: () => file.content() };
}
