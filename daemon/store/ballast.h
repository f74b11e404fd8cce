/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/**
 * A file that only takes room.  When the disk is full it is dropped, and what it held is
 * enough for the transactions that give something back.
 */

/** Makes directory/ballast, its blocks allocated, if it is missing.  False when there is
 * no room for it and half as much again: the disk is short. */
bool ballast_ensure(const char *directory);

bool ballast_is_there(const char *directory);

/** Drops it; false if it was not there. */
bool ballast_drop(const char *directory);
