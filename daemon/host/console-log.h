/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/connection.h"

/**
 * Reads what a guest wrote to its serial console.  virtlogd keeps the log and cuts it
 * into parts of a bounded size; an offset counts from the first byte of the oldest part
 * that is kept.  Of a log that is not there nothing is read.
 */
bool console_log_read(const HostOptions *options,
                      const ProtoWorkerReadLogCall *in,
                      ProtoWorkerReadLogReply *ret_reply,
                      GError **error);
