// The files that may use node:fs, and what they use it for. None of these is a path inside a container's root, whose
// links belong to whoever wrote the image: such a path goes through openat2 in the addon, the worker or the supervisor.
export const fileSystemUsers = new Map(
  Object.entries({
    'src/cgroup/files.ts': 'control groups',
    'src/container/spec/etc-files.ts': "files of hako's own, in the container's directory and the host's /etc",
    'src/host/devices.ts': "the host's /dev",
    'src/host/files.ts': "the host's /proc, /sys and /etc/subuid",
    'src/native/loader.ts': "hako's own installation",
  }),
);
