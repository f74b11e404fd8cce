/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/connection.h"

/**
 * Starts a domain that is off, so that nothing which libvirt learns late of its last run
 * ends this one.  Blocks; may be repeated: what an earlier call left half done is done.
 * PROTO_ERROR_HOST_FAILED or PROTO_ERROR_HOST_UNREACHABLE.
 */
bool start_domain(virDomainPtr domain, GError **error);

/** Has a domain run whose processors are at a stand; one that runs is left alone. */
bool start_resume(virDomainPtr domain, GError **error);
