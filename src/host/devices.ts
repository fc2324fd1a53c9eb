import { lstatSync, readdirSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { HakoError } from '../base/errors.ts';
import type { RequestedDevice } from '../contracts/privilege-mode.ts';

/** What a container makes for itself, or what belongs to one mount of its own (moby, HostDevices, leaves out the same). */
const ownDirectories = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'hugepages']);
const ownNodes = new Set(['console', 'ptmx']);

/** Every device node under the host's /dev. Nodes that vanish meanwhile are passed over. */
export function listHostDevices(directory = '/dev'): readonly RequestedDevice[] {
  const devices: RequestedDevice[] = [];
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory() && !ownDirectories.has(entry.name)) devices.push(...listHostDevices(path));
    if (!(entry.isCharacterDevice() || entry.isBlockDevice()) || ownNodes.has(entry.name)) continue;
    const node = lstatSync(path, { throwIfNoEntry: false });
    if (node !== undefined) devices.push({ ...describeNode(node), path, hostPath: path, access: 'rwm' });
  }
  return devices;
}

/**
 * Looks a requested device up on the host.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` when it is not there or no device.
 */
export async function statDevice(hostPath: string, path: string, access: string): Promise<RequestedDevice> {
  const node = await stat(hostPath).catch((error: unknown) => {
    throw new HakoError(
      'INVALID_OPTION',
      `The device ${hostPath} cannot be given to the container: ${error instanceof Error ? error.message : String(error)}.`,
      { cause: error, path: hostPath },
    );
  });
  if (!node.isCharacterDevice() && !node.isBlockDevice()) {
    throw new HakoError(
      'INVALID_OPTION',
      `${hostPath} is not a device; share files and directories with a bind mount instead.`,
      { path: hostPath },
    );
  }
  return { ...describeNode(node), path, hostPath, access };
}

/**
 * The number of a block device of the host, for limits of block I/O.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` when it is none.
 */
export async function blockDeviceNumber(hostPath: string): Promise<{ major: number; minor: number }> {
  const device = await statDevice(hostPath, hostPath, 'r');
  if (device.type !== 'b')
    throw new HakoError(
      'INVALID_OPTION',
      `${hostPath} is no block device; block I/O is limited by disk, such as /dev/sda.`,
      { path: hostPath },
    );
  return { major: device.major, minor: device.minor };
}

function describeNode(node: {
  isBlockDevice(): boolean;
  rdev: number;
  mode: number;
  uid: number;
  gid: number;
}): Omit<RequestedDevice, 'path' | 'hostPath' | 'access'> {
  return {
    type: node.isBlockDevice() ? 'b' : 'c',
    ...deviceNumbers(node.rdev),
    mode: node.mode & 0o777,
    uid: node.uid,
    gid: node.gid,
  };
}

/** gnu_dev_major(3) and gnu_dev_minor(3), for numbers that a double still holds exactly. */
function deviceNumbers(rdev: number): { major: number; minor: number } {
  const wide = BigInt(rdev);
  return {
    major: Number(((wide >> 8n) & 0xfffn) | ((wide >> 32n) & 0xfffff000n)),
    minor: Number((wide & 0xffn) | ((wide >> 12n) & 0xffffff00n)),
  };
}
