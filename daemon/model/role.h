/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "proto.h"

/**
 * What roles allow.  Pure.
 */

/** Whether who has the one role may do what needs the other. */
bool role_includes(Role has, Role needs);

/** Fails with PROTO_ERROR_PERMISSION_DENIED unless who has the role may call method. */
bool role_check(Role has, const WireMethod *method, GError **error);

/** Fails with PROTO_ERROR_INVALID_PARAMETER, and returns false: who acts for all of these
 * tenants, names, has to choose one. */
bool role_refuse_choice(const GPtrArray *tenants, GError **error);

/** The larger of the two. */
Role role_max(Role a, Role b);

Role role_of_member(MemberRole role);
