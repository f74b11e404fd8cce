/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/keepsake.h"

#include "proto.h"

char *
keepsake_make(const Instance *instance, const Template *template, const ProtoSize *size)
{
    ProtoKeepsake keepsake = {
        .instance = instance->record,
        .template =
            template != NULL ? (ProtoTemplateRecord *) (gsize) & template->record : NULL,
    };
    ProtoInstance *view = &keepsake.instance.view;
    g_autoptr(GString) text = g_string_new(NULL);

    keepsake.instance.ssh_keys = NULL;
    keepsake.instance.user_data = NULL;
    keepsake.instance.segments = NULL;
    keepsake.instance.n_segments = 0;
    view->operation = NULL;
    view->reason = NULL;
    view->addresses = NULL;
    view->agent = false;
    view->ready = false;
    view->next = NULL;
    view->vcpus = size->vcpus;
    view->memory_bytes = size->memory_bytes;
    view->disk_bytes = size->disk_bytes;
    wire_struct_print(&proto_keepsake_type, &keepsake, text);
    return g_base64_encode((const guchar *) text->str, text->len);
}

bool
keepsake_read(const char *text, ProtoKeepsake *ret_keepsake, GError **error)
{
    gsize length = 0;
    g_autofree char *json = (char *) g_base64_decode(text, &length);

    return wire_struct_read(&proto_keepsake_type, json, length, "keepsake",
                            WIRE_PARSE_LENIENT, ret_keepsake, error);
}
