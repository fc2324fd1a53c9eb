// The files that may use node:fs, by what they use it for. None of these is a path inside a container's root, whose links
// belong to whoever wrote the image: such a path goes through openat2 in the addon, the worker or the supervisor.
const users = {
  "hako's own installation": ['src/base/package-version.ts', 'src/native/loader.ts'],
  "the kernel's files: /proc, /sys, /dev": [
    'src/cgroup/files.ts',
    'src/container/files/container-trees.ts',
    'src/container/container-network.ts',
    'src/container/first-process.ts',
    'src/container/health/listening.ts',
    'src/container/process-privileges.ts',
    'src/host/devices.ts',
    'src/host/files.ts',
    'src/host/process-identity.ts',
    'src/native/user-namespace-knobs.ts',
  ],
  "hako's own root directory, and what is in it but a tree": [
    'src/core/root.ts',
    'src/core/peers.ts',
    'src/core/root-claim.ts',
    'src/core/state/database.ts',
    'src/core/state/reserve.ts',
    'src/container/files/copy-intents.ts',
    'src/plugins/registry.ts',
    'src/native/native-services.ts',
    'src/native/worker.ts',
    'src/native/worker/launch.ts',
  ],
  'blobs, named by their digests': ['src/content/content-store.ts', 'src/content/ingest-directory.ts'],
  "a container's state directory, never its root": [
    'src/container/container-launcher.ts',
    'src/container/exit-record.ts',
    'src/container/hold-marks.ts',
    'src/container/launcher.ts',
    'src/container/files/rest-locks.ts',
    'src/container/spec/etc-files.ts',
  ],
  'a log, in the state directory': [
    'plugins/log/json-file/compressor.ts',
    'plugins/log/json-file/log-files.ts',
    'src/log/file-watch.ts',
    'src/log/journal-deliveries.ts',
    'src/log/journal-reader.ts',
  ],
  'the directories around a snapshot: its own tree is only ever a name': [
    'plugins/storage/overlay2/driver.ts',
    'plugins/storage/vfs/driver.ts',
    'src/base/trash.ts',
    'src/container/volatile-mounts.ts',
    'src/plugins/snapshots/children.ts',
    'src/plugins/snapshots/directory.ts',
    'src/plugins/snapshots/record.ts',
    'src/plugins/snapshots/snapshot-store.ts',
    'src/base/overwrite-file.ts',
    'src/base/spares.ts',
    'src/container/container-directories.ts',
  ],
  'what the user names on the host as an end of a copy: looked at; the worker opens it': [
    'src/container/files/host-files.ts',
  ],
  'what the user names on a command line': ['src/cli/files.ts'],
  'what the user names as a source: opened once, then read by descriptor': [
    'src/core/images.ts',
    'src/image/sources/archive-files.ts',
    'src/image/sources/directory-files.ts',
    'src/image/sources/open-path.ts',
    'src/image/sources/rootfs.ts',
  ],
  "the host's own root, for Image.fromHost()": ['src/image/host/host-tree.ts', 'src/image/host/lay-host-root.ts'],
  "a new snapshot's own directories, before anything runs in it": ['src/image/mapped-root.ts'],
  'temporary directories of the conformance suites': [
    'src/plugins/conformance/context.ts',
    'src/plugins/conformance/log-subject.ts',
    'src/plugins/conformance/sink-output.ts',
    'src/plugins/conformance/storage-concurrency.ts',
    'src/plugins/conformance/storage-content.ts',
  ],
};

/** Each file, with what it uses the file system for. */
export const fileSystemUsers = new Map(
  Object.entries(users).flatMap(([purpose, files]) => files.map((file) => [file, purpose])),
);
