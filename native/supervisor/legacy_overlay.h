// SPDX-License-Identifier: Apache-2.0
//
// overlay by mount(2), for kernels whose fsconfig(2) can't name the layers
// (before 6.8) and for paths that are longer than fsconfig(2) takes.
#ifndef HAKO_LEGACY_OVERLAY_H
#define HAKO_LEGACY_OVERLAY_H

#include "setup.h"

int legacy_overlay(struct setup *setup, const struct setup_op *op);

#endif
