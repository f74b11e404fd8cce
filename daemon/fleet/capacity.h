/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/config.h"
#include "model/quota.h"

/**
 * What of a host may be promised to instances: what it has, less what is left to the host
 * itself, times how much of the rest is given away.  Instances are not limited.
 */
Quota capacity_of(const HostConfig *config, const ProtoHost *view);
