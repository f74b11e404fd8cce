/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "proto.h"

/**
 * What roles allow.  Pure.
 */

/** Whether who has the one role may do what needs the other. */
bool role_includes(Role has, Role needs);

/** The larger of the two. */
Role role_max(Role a, Role b);

Role role_of_member(MemberRole role);
