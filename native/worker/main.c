// SPDX-License-Identifier: Apache-2.0
//
// hako-worker: one job on the file tree of an image or a container. The request
// comes from Node and is trusted; the bytes of the archive and the names in the
// tree are an attacker's.
#include "worker.h"

int main(void) {
  return worker_run();
}
