import { z } from 'zod';

const policy = z.enum(['no', 'always', 'on-failure', 'unless-stopped']);
const retries = z.int().min(0);

/** `'always'`, `'on-failure:3'`, or an object. */
export const restartOption = z
  .union([
    z
      .string()
      .regex(
        /^(?:no|always|unless-stopped|on-failure(?::\d{1,9})?)$/,
        "write 'no', 'always', 'unless-stopped', 'on-failure' or 'on-failure:<at most>'",
      )
      .transform((text) => {
        const [name = '', most = '0'] = text.split(':');
        return { policy: name as z.infer<typeof policy>, maxRetries: Number(most), onUnhealthy: false };
      }),
    z.strictObject({
      policy,
      /** Of `on-failure`: how many restarts in a row; 0: as many as it takes. */
      maxRetries: retries.default(0),
      /** Also ends and restarts a container that its health check finds unhealthy. */
      onUnhealthy: z.boolean().default(false),
    }),
  ])
  .refine(({ policy, maxRetries }) => maxRetries === 0 || policy === 'on-failure', {
    message: 'maxRetries is for on-failure only',
  })
  .refine(({ policy, onUnhealthy }) => !onUnhealthy || policy !== 'no', {
    message: 'onUnhealthy needs a policy that restarts',
  });

/** When a container is started again after its end. */
export type RestartPolicy = z.output<typeof restartOption>;
