/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "proto.h"

/** Whether the two are one process.  Pure. */
bool epoch_is_same(const ProtoEpoch *a, const ProtoEpoch *b);
