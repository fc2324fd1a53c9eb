import type { Digest } from '../base/digest.ts';
import { digestOf } from '../base/digest.ts';
import type { Descriptor } from './descriptor.ts';
import type { ContainerDefaults, Healthcheck } from './image-config.ts';
import { mediaTypes } from './media-types.ts';
import type { Platform } from './platform.ts';

/** A document that hako writes itself, with the descriptor to find it by. */
export interface EncodedDocument {
  readonly content: Uint8Array;
  readonly descriptor: Descriptor;
}

/** Writes an image configuration (config.md) for an image that hako makes: its `created` is the only thing that varies. */
export function encodeImageConfig(image: {
  platform: Platform;
  created: string;
  defaults: Partial<ContainerDefaults>;
  diffIds: readonly Digest[];
  comment: string;
}): EncodedDocument {
  const { defaults, platform } = image;
  return encode(mediaTypes.ociConfig, {
    created: image.created,
    architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    os: platform.os,
    config: {
      User: defaults.user,
      ExposedPorts: asKeys(defaults.exposedPorts),
      Env: defaults.env,
      Entrypoint: defaults.entrypoint,
      Cmd: defaults.cmd,
      Volumes: asKeys(defaults.volumes),
      WorkingDir: defaults.workingDir,
      Labels: defaults.labels,
      StopSignal: defaults.stopSignal,
      Shell: defaults.shell,
      OnBuild: defaults.onBuild,
      Healthcheck: asHealthcheck(defaults.healthcheck),
    },
    rootfs: { type: 'layers', diff_ids: image.diffIds },
    history: image.diffIds.map(() => ({ created: image.created, comment: image.comment })),
  });
}

/** Writes an image manifest (manifest.md). */
export function encodeManifest(config: Descriptor, layers: readonly Descriptor[]): EncodedDocument {
  return encode(mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: bare(config),
    layers: layers.map(bare),
  });
}

function encode(mediaType: string, document: unknown): EncodedDocument {
  const content = new TextEncoder().encode(JSON.stringify(document));
  return { content, descriptor: { mediaType, digest: digestOf(content), size: content.byteLength } };
}

const bare = ({ mediaType, digest, size }: Descriptor) => ({ mediaType, digest, size });

const asHealthcheck = (check: Healthcheck | undefined) =>
  check && {
    Test: check.test,
    Interval: check.interval,
    Timeout: check.timeout,
    StartPeriod: check.startPeriod,
    StartInterval: check.startInterval,
    Retries: check.retries,
  };

const asKeys = (names: readonly string[] | undefined) =>
  names === undefined ? undefined : Object.fromEntries(names.map((name) => [name, {}]));
