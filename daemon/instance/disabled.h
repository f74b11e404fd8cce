/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "instance/book.h"

/**
 * Stops what tenants have that are disabled, or have spent their budget, where their
 * policy says so: a guest is asked to power off, and after two minutes its power is cut.
 * It looks from time to time, so that what was under way, and what another process began,
 * is stopped as well.
 */
void disabled_start(InstanceBook *book);
void disabled_stop(InstanceBook *book);

/** Looks now. */
void disabled_look(InstanceBook *book);
