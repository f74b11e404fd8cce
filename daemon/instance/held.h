/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "instance/book.h"

/**
 * What instances hold, summed up by tenant and by host, for whoever admits: it asks so
 * often that there is no time to walk through them.  The rows are the truth.  Each one
 * remembers what of it is in the sums, so that only a row whose change was not followed
 * could make them wrong; the book follows each row that it adds, writes or removes, and
 * an audit walks through them all (compare_quota()).
 */

/** Brings the sums in line with what the instance holds now. */
void held_follow(Instance *instance);

/** Takes it out of the sums. */
void held_forget(Instance *instance);

/** What the instances of a tenant hold. */
Quota held_get_of_tenant(InstanceBook *book, const char *tenant);

/** What those on a host do. */
Quota held_get_on_host(InstanceBook *book, const char *host);
