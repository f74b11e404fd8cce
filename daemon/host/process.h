/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "proto.h"

/**
 * The process that runs a domain, by the pid file that libvirt writes on this machine.
 */

/** NULL if the domain of that name is not running, or runs on another machine. */
ProtoEpoch *process_read_epoch(const char *name);

/** When it was started, by the clock that runs since boot; at most 10 ms too late. */
gint64 process_get_start_ms(const ProtoEpoch *epoch);
