/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "build-config.h"
#include "rpc/rpc.h"

static gint64
get_resident_bytes(void)
{
    g_autofree char *text = NULL;
    char **fields = NULL;
    gint64 pages = 0;

    if (!g_file_get_contents("/proc/self/statm", &text, NULL, NULL))
        return 0;
    fields = g_strsplit(text, " ", 3);
    if (fields[0] != NULL && fields[1] != NULL)
        pages = g_ascii_strtoll(fields[1], NULL, 10);
    g_strfreev(fields);
    return pages * sysconf(_SC_PAGESIZE);
}

static void
get_info(WireCall *call, const ProtoVmctlGetInfoCall *in)
{
    Rpc *rpc = rpc_of(call);
    ProtoVmctlGetInfoReply reply = {
        .program = (char *) (gsize) "vmd",
        .version = (char *) (gsize) VMCTL_VERSION,
        .service_id = (char *) (gsize) store_get_service_id(rpc->store),
        .uptime_ms = clock_boot_ms() - rpc->started_boot_ms,
        .seq = store_get_seq(rpc->store),
        .resident_bytes = get_resident_bytes(),
    };

    wire_call_reply(call, &reply);
}

static void
ping(WireCall *call, const ProtoVmctlPingCall *in)
{
    wire_call_reply(call, NULL);
}

static void
who_am_i(WireCall *call, const ProtoVmctlWhoAmICall *in)
{
    Principal principal = rpc_get_principal(call);
    ProtoVmctlWhoAmIReply reply = {
        .uid = principal.uid,
        .tenant = (char *) (gsize) principal.tenant,
        .role = principal.role,
    };
    GError *error = NULL;

    if (in->has_uid && in->uid != principal.uid) {
        if (!rpc_is_admin(call)) {
            proto_error_set_permission_denied(
                &error, ROLE_ADMIN, "Asking for another uid needs the role admin");
            wire_call_fail(call, error);
            return;
        }
        reply.uid = in->uid;
        reply.tenant = (char *) (gsize) tenant_of_uid(rpc_of(call)->tenants, in->uid);
        reply.role =
            rpc_is_admin_uid(rpc_of(call), in->uid) ? ROLE_ADMIN : ROLE_TENANT_ADMIN;
    }
    wire_call_reply(call, &reply);
}

const ProtoVmctlHandlers rpc_vmctl_handlers = {
    .get_info = get_info,
    .ping = ping,
    .who_am_i = who_am_i,
};
