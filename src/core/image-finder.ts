import { HakoError, hasHakoCode } from '../base/errors.ts';
import type { ContainerImage, ImageFinder } from '../container/container-image.ts';
import type { PluginReference } from '../contracts/plugin-definition.ts';
import type { FileOwnership, PrivilegeMode } from '../contracts/privilege-mode.ts';
import type { ActiveKey } from '../contracts/storage-driver.ts';
import type { HostRootStorage } from '../image/host/host-root-storage.ts';
import type { Image } from '../image/image.ts';
import type { ImageService } from '../image/image-service.ts';
import { initSnapshot } from '../image/snapshot-names.ts';
import type { ImageChoice } from './runtime.ts';

type Mode = Omit<PluginReference<'privilege'>, 'kind'>;

/**
 * Joins containers to images: finds the one that is named, and prepares snapshots on it.
 *
 * @param directoryOf - the container's own directory, whose files are mounted in it.
 */
export function imageFinder(
  images: ImageService,
  storage: HostRootStorage,
  modeOf: (mode: Mode) => Promise<Pick<PrivilegeMode, 'ownership' | 'idRange'>>,
  directoryOf: (key: ActiveKey) => string,
): ImageFinder<ImageChoice> {
  return async (choice) => {
    const image = typeof choice === 'string' ? await images.get(choice) : requireImage(choice);
    return {
      id: image.id,
      name: typeof choice === 'string' ? choice : (image.references[0] ?? image.id),
      defaults: image.config.defaults,
      prepare: async (key, mode, options) => {
        const { ownership, idRange } = await modeOf(mode);
        // Shifted, the host's own files would be owned, and so be readable, by the container's root.
        if (image.host !== null && idRange !== undefined)
          throw new HakoError(
            'INVALID_OPTION',
            "Image.fromHost() cannot be used in a container with ids of its own: the host's files would become its own. Use the mode 'rootless', or userns 'host'.",
          );
        if (image.host === null) await prepare(image, ownership, key, options);
        else await storage.prepareHostRoot(ownership, key, image.host, options);
        storage.openWay(ownership, directoryOf(key));
      },
    } satisfies ContainerImage;
  };

  async function prepare(
    image: Image,
    ownership: FileOwnership,
    key: ActiveKey,
    options: Parameters<ContainerImage['prepare']>[2],
  ): Promise<void> {
    try {
      // The container's record is there already, and keeps the image: a snapshot that exists will go on to.
      await storage.prepareFor(ownership, key, initSnapshot(image.layers.at(-1)?.chainId ?? null, ownership), options);
    } catch (error) {
      if (!hasHakoCode(error, 'HAKO_ERR_SNAPSHOT_NOT_FOUND')) throw error;
      await images.withSnapshot(
        image,
        ownership,
        (parent) => storage.prepareFor(ownership, key, parent, options),
        options,
      );
    }
  }
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
function requireImage(choice: unknown): Image {
  // By what it has, not by its class: it may come from another copy of this package.
  if (typeof choice === 'object' && choice !== null && 'layers' in choice && 'config' in choice) return choice as Image;
  throw new HakoError(
    'INVALID_OPTION',
    "image: give a reference such as 'nginx:1.29', an id, or an Image: Image.fromHost(), or what runtime.images.import() and get() return.",
  );
}
