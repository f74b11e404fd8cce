/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "proto.h"
#include "wire/server-private.h"

static bool
is_shown(WireCall *call, const WireInterface *interface)
{
    return !interface->is_private || call->peer.is_worker;
}

static void
get_info(WireCall *call, const ProtoServiceGetInfoCall *in)
{
    const WireServerOptions *options = &call->server->options;
    const GPtrArray *served = call->server->interfaces;
    g_autofree char **names = g_new0(char *, served->len + 1);
    ProtoServiceGetInfoReply reply = {
        .vendor = (char *) (gsize) options->vendor,
        .product = (char *) (gsize) options->product,
        .version = (char *) (gsize) options->version,
        .url = (char *) (gsize) options->url,
        .interfaces = names,
    };
    gsize count = 0;

    for (guint i = 0; i < served->len; i++) {
        const WireInterface *interface = ((WireServed *) served->pdata[i])->interface;

        if (is_shown(call, interface))
            names[count++] = (char *) (gsize) interface->name;
    }
    wire_call_reply(call, &reply);
}

static void
get_interface_description(WireCall *call,
                          const ProtoServiceGetInterfaceDescriptionCall *in)
{
    const GPtrArray *served = call->server->interfaces;
    GError *error = NULL;

    for (guint i = 0; i < served->len; i++) {
        const WireInterface *interface = ((WireServed *) served->pdata[i])->interface;

        if (strcmp(interface->name, in->interface) == 0 && is_shown(call, interface)) {
            ProtoServiceGetInterfaceDescriptionReply reply = {
                .description = (char *) (gsize) interface->description,
            };

            wire_call_reply(call, &reply);
            return;
        }
    }
    proto_error_set_service_interface_not_found(&error, in->interface,
                                                "There is no such interface");
    wire_call_fail(call, error);
}

static const ProtoServiceHandlers handlers = {
    .get_info = get_info,
    .get_interface_description = get_interface_description,
};

const void *const wire_service_handlers = &handlers;
