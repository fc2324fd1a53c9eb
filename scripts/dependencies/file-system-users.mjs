// The files that may use node:fs, and what they use it for. None of these is a path inside a container's root, whose
// links belong to whoever wrote the image: such a path goes through openat2 in the addon, the worker or the supervisor.
export const fileSystemUsers = new Map(
  Object.entries({
    'src/native/loader.ts': "hako's own installation",
  }),
);
