/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/role.h"

static const int ranks[] = {
    [ROLE_BILLING] = 0,      [ROLE_VIEWER] = 1, [ROLE_OPERATOR] = 2,
    [ROLE_TENANT_ADMIN] = 3, [ROLE_ADMIN] = 4,
};
G_STATIC_ASSERT(G_N_ELEMENTS(ranks) == ROLE_N);

static const Role of_members[] = {
    [MEMBER_ROLE_BILLING] = ROLE_BILLING,
    [MEMBER_ROLE_VIEWER] = ROLE_VIEWER,
    [MEMBER_ROLE_OPERATOR] = ROLE_OPERATOR,
    [MEMBER_ROLE_TENANT_ADMIN] = ROLE_TENANT_ADMIN,
};
G_STATIC_ASSERT(G_N_ELEMENTS(of_members) == MEMBER_ROLE_N);

bool
role_includes(Role has, Role needs)
{
    return ranks[has] >= ranks[needs];
}

bool
role_check(Role has, const WireMethod *method, GError **error)
{
    Role needs = (Role) method->role;

    if (role_includes(has, needs))
        return true;
    proto_error_set_permission_denied(error, needs, "%s needs the role %s",
                                      method->full_name, role_to_string(needs));
    return false;
}

bool
role_refuse_choice(const GPtrArray *tenants, GError **error)
{
    g_autoptr(GString) list = g_string_new(NULL);

    for (guint i = 0; i < tenants->len; i++) {
        g_string_append_printf(list, "%s%s", i > 0 ? ", " : "",
                               (const char *) tenants->pdata[i]);
    }
    proto_error_set_invalid_parameter(error, "parameters.tenant", "is missing",
                                      "You act for several tenants, and have to say for "
                                      "which: %s",
                                      list->str);
    return false;
}

Role
role_max(Role a, Role b)
{
    return role_includes(a, b) ? a : b;
}

Role
role_of_member(MemberRole role)
{
    return of_members[role];
}
