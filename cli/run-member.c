/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <grp.h>
#include <pwd.h>

#include "run.h"

enum {
    CALL_MS = 30000
};

/** Who is meant: by number or by name, a user or a group. */
typedef struct {
    const char *option;
    MemberKind kind;
    bool by_name;
} Naming;

static const Naming namings[] = {
    { "uid", MEMBER_KIND_UID, false },
    { "gid", MEMBER_KIND_GID, false },
    { "user", MEMBER_KIND_UID, true },
    { "group", MEMBER_KIND_GID, true },
};

static bool
refuse(GError **error, const char *path, const char *message)
{
    proto_error_set_invalid_parameter(error, path, message, "%s", message);
    return false;
}

/* The number of an account of this machine. */
static bool
look_up(const Naming *naming, const char *name, gint64 *ret_id, GError **error)
{
    const struct passwd *user = naming->kind == MEMBER_KIND_UID ? getpwnam(name) : NULL;
    const struct group *group = naming->kind == MEMBER_KIND_GID ? getgrnam(name) : NULL;
    g_autofree char *message = NULL;

    if (user != NULL) {
        *ret_id = user->pw_uid;
        return true;
    }
    if (group != NULL) {
        *ret_id = group->gr_gid;
        return true;
    }
    message =
        g_strdup_printf("There is no %s \"%s\" on this machine", naming->option, name);
    return refuse(error, naming->option, message);
}

static const Naming *
find_naming(const Arguments *arguments, GError **error)
{
    const Naming *found = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(namings); i++) {
        if (!arguments_has(arguments, namings[i].option))
            continue;
        if (found != NULL) {
            refuse(error, namings[i].option, "One member at a time");
            return NULL;
        }
        found = &namings[i];
    }
    if (found == NULL)
        refuse(error, "uid", "Say who: --user, --uid, --group or --gid");
    return found;
}

static bool
find_member(const Arguments *arguments,
            MemberKind *ret_kind,
            gint64 *ret_id,
            GError **error)
{
    const Naming *naming = find_naming(arguments, error);

    if (naming == NULL)
        return false;
    *ret_kind = naming->kind;
    if (naming->by_name)
        return look_up(naming, arguments_get_text(arguments, naming->option), ret_id,
                       error);
    *ret_id = arguments_get_number(arguments, naming->option, 0);
    return true;
}

static bool
call_and_print(Session *session, const void *in, GError **error)
{
    const Command *command = session->command;
    g_auto(WireReply) reply = { 0 };

    if (!session_call(session, command->service, command->method, in, CALL_MS, &reply,
                      error))
        return false;
    session_print(session, command->view, reply.parameters);
    return true;
}

bool
run_member_add(Session *session, const Arguments *arguments, GError **error)
{
    g_auto(ProtoTenantAddMemberCall) in = { 0 };

    if (!arguments_has(arguments, "role"))
        return refuse(error, "--role", "Say what the member may do: --role");
    return arguments_fill(arguments, arguments->operands[0], &in, error) &&
           find_member(arguments, &in.kind, &in.id, error) &&
           call_and_print(session, &in, error);
}

bool
run_member_remove(Session *session, const Arguments *arguments, GError **error)
{
    g_auto(ProtoTenantRemoveMemberCall) in = { 0 };

    return arguments_fill(arguments, arguments->operands[0], &in, error) &&
           find_member(arguments, &in.kind, &in.id, error) &&
           call_and_print(session, &in, error);
}

bool
run_token_create(Session *session, const Arguments *arguments, GError **error)
{
    g_auto(ProtoTenantCreateTokenCall) in = { 0 };

    if (!arguments_has(arguments, "role"))
        return refuse(error, "--role", "Say what the token may do: --role");
    return arguments_fill(arguments, arguments->operands[0], &in, error) &&
           call_and_print(session, &in, error);
}
