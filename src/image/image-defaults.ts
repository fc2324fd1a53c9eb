import { z } from 'zod';

const words = z.array(z.string()).optional();
const nanoseconds = z.int().min(0).optional();

/** What a caller may have an image say of its containers: `ContainerDefaults`, or part of it. */
export const imageDefaults = z.strictObject({
  env: words,
  entrypoint: words,
  cmd: words,
  user: z.string().optional(),
  workingDir: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  exposedPorts: words,
  volumes: words,
  stopSignal: z.string().optional(),
  shell: words,
  onBuild: words,
  healthcheck: z
    .strictObject({
      test: z.array(z.string()),
      interval: nanoseconds,
      timeout: nanoseconds,
      startPeriod: nanoseconds,
      startInterval: nanoseconds,
      retries: nanoseconds,
    })
    .optional(),
});
