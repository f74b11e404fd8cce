/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "exits.h"

#include <string.h>

#include "proto.h"
#include "wire/error.h"

typedef struct {
    int code;
    ExitCode exit;
    const char *hint;
} Row;

static const Row rows[] = {
    { PROTO_ERROR_SERVICE_INTERFACE_NOT_FOUND, EXIT_FAILED,
      "the service and this vmctl are of different versions: see `vmctl version`" },
    { PROTO_ERROR_SERVICE_METHOD_NOT_FOUND, EXIT_FAILED,
      "the service and this vmctl are of different versions: see `vmctl version`" },
    { PROTO_ERROR_SERVICE_METHOD_NOT_IMPLEMENTED, EXIT_FAILED,
      "the service does not do this: see `vmctl version`" },
    { PROTO_ERROR_SERVICE_INVALID_PARAMETER, EXIT_USAGE,
      "the service and this vmctl are of different versions: see `vmctl version`" },
    { PROTO_ERROR_NOT_FOUND, EXIT_NOT_FOUND, NULL },
    { PROTO_ERROR_ALREADY_EXISTS, EXIT_FAILED,
      "take another name, or remove the one that has it" },
    { PROTO_ERROR_INVALID_PARAMETER, EXIT_USAGE, NULL },
    { PROTO_ERROR_QUOTA_EXCEEDED, EXIT_DENIED,
      "destroy or shrink something, or ask an admin for a larger quota" },
    { PROTO_ERROR_BUDGET_EXCEEDED, EXIT_DENIED,
      "`vmctl budget show` tells what was spent; an admin can give more" },
    { PROTO_ERROR_CONFLICT, EXIT_FAILED,
      "see `vmctl operation list`; `vmctl operation wait ID` waits for it" },
    { PROTO_ERROR_ILLEGAL_STATE, EXIT_FAILED,
      "`vmctl show NAME` tells its state and why it is in it" },
    { PROTO_ERROR_HOST_UNREACHABLE, EXIT_UNREACHABLE,
      "`vmctl doctor` says what is wrong and how to mend it" },
    { PROTO_ERROR_HOST_FAILED, EXIT_FAILED, "`vmctl doctor` checks the host" },
    { PROTO_ERROR_BUSY, EXIT_FAILED, "try again in a moment" },
    { PROTO_ERROR_DEADLINE, EXIT_TIMED_OUT,
      "what was begun goes on: see `vmctl operation list`; --timeout waits longer" },
    { PROTO_ERROR_TOO_LARGE, EXIT_USAGE, "give less at once" },
    { PROTO_ERROR_PERMISSION_DENIED, EXIT_DENIED,
      "`vmctl whoami` tells your tenant and role; an admin can do it" },
    { PROTO_ERROR_REQUEST_MISMATCH, EXIT_FAILED,
      "a request id belongs to one request: take another --request-id" },
    { PROTO_ERROR_DISK_FULL, EXIT_FAILED,
      "make room on the disk of the state folder; destroying still works" },
    { PROTO_ERROR_NO_CAPACITY, EXIT_FAILED,
      "ask for less, or free something: `vmctl host list` shows what is left" },
    { PROTO_ERROR_HELD_UP, EXIT_FAILED,
      "the group goes on trying: `vmctl group show NAME` tells why and when" },
    { PROTO_ERROR_CANCELLED, EXIT_FAILED, NULL },
    { PROTO_ERROR_QUARANTINED, EXIT_FAILED,
      "it is not tried again; the service's log has the cause: journalctl -u vmd" },
    { PROTO_ERROR_INTERNAL, EXIT_FAILED,
      "the service's log has the cause: journalctl -u vmd" },
};

/* What to look at for each kind of thing that is not found. */
static const struct {
    const char *kind;
    const char *hint;
} not_found[] = {
    { "instance", "`vmctl list` shows the instances that you may see" },
    { "template", "`vmctl template list` shows the templates" },
    { "host", "`vmctl host list` shows the hosts" },
    { "group", "`vmctl group list` shows the groups" },
    { "operation", "`vmctl operation list` shows the operations" },
};

static const char *const descriptions[] = {
    "0 done",
    "1 failed",
    "2 usage: a wrong command, option or value",
    "3 not found",
    "4 denied, or over a quota or a budget",
    "5 the service or a host is unreachable",
    "6 not done in time",
    "130 interrupted; what was begun goes on",
};

static const Row *
find(int code)
{
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].code == code)
            return &rows[i];
    }
    return NULL;
}

ExitCode
exits_get_code(const GError *error)
{
    const Row *row = error->domain == PROTO_ERROR ? find(error->code) : NULL;

    return row != NULL ? row->exit : EXIT_FAILED;
}

ExitCode
exits_get_code_of(const char *full_name)
{
    for (gsize i = 0; i < proto_n_error_types; i++) {
        if (strcmp(proto_error_types[i].full_name, full_name) == 0)
            return find(proto_error_types[i].code)->exit;
    }
    return EXIT_FAILED;
}

static const char *
get_not_found_hint(const GError *error)
{
    const ProtoErrorNotFound *parameters = wire_error_get_parameters(error);

    for (gsize i = 0; i < G_N_ELEMENTS(not_found); i++) {
        if (g_strcmp0(parameters->kind, not_found[i].kind) == 0)
            return not_found[i].hint;
    }
    return NULL;
}

const char *
exits_get_hint(const GError *error)
{
    const Row *row = error->domain == PROTO_ERROR ? find(error->code) : NULL;

    if (row != NULL && row->code == PROTO_ERROR_NOT_FOUND)
        return get_not_found_hint(error);
    return row != NULL ? row->hint : NULL;
}

gboolean
exits_has_row(int code)
{
    return find(code) != NULL;
}

const char *
exits_describe(guint index)
{
    return index < G_N_ELEMENTS(descriptions) ? descriptions[index] : NULL;
}
