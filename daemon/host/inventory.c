/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/inventory.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "host/domain.h"
#include "host/volumes.h"

enum {
    ID_BYTES = 36
};

static const struct {
    const char *prefix;
    const char *suffix;
    HeldKind kind;
} names[] = {
    { "d-", ".qcow2", HELD_KIND_DISK },      { "s-", ".iso", HELD_KIND_SEED },
    { "t-", ".qcow2", HELD_KIND_TEMPLATE },  { "t-", ".kernel", HELD_KIND_TEMPLATE },
    { "t-", ".initrd", HELD_KIND_TEMPLATE },
};

HeldKind
inventory_classify(const char *name, char **ret_id)
{
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        gsize before = strlen(names[i].prefix);
        g_autofree char *id = NULL;

        if (strlen(name) != before + ID_BYTES + strlen(names[i].suffix) ||
            !g_str_has_prefix(name, names[i].prefix) ||
            !g_str_has_suffix(name, names[i].suffix))
            continue;
        id = g_strndup(name + before, ID_BYTES);
        if (!g_uuid_string_is_valid(id))
            continue;
        *ret_id = g_steal_pointer(&id);
        return names[i].kind;
    }
    *ret_id = g_strdup(name);
    return HELD_KIND_OTHER;
}

static void
add(GArray *objects, HeldKind kind, char *id)
{
    const ProtoHeld held = { kind, id };

    g_array_append_val(objects, held);
}

static bool
add_domains(GArray *objects, virConnectPtr libvirt, GError **error)
{
    gint64 foreign = 0;
    g_autoptr(GArray) domains = domain_list(libvirt, &foreign, error);

    for (guint i = 0; domains != NULL && i < domains->len; i++) {
        add(objects, HELD_KIND_DOMAIN,
            g_strdup(g_array_index(domains, ProtoDomain, i).id));
    }
    return domains != NULL;
}

static bool
add_volumes(GArray *objects,
            virConnectPtr libvirt,
            const HostOptions *options,
            GError **error)
{
    g_autoptr(virStoragePool) pool = volumes_open_pool(libvirt, options, error);
    virStorageVolPtr *volumes = NULL;
    int count = 0;

    if (pool == NULL)
        return false;
    /* What came or went behind libvirt's back; refused while an upload is under way. */
    virStoragePoolRefresh(pool, 0);
    count = virStoragePoolListAllVolumes(pool, &volumes, 0);
    if (count < 0) {
        connection_set_error(error, "Listing the volumes");
        return false;
    }
    for (int i = 0; i < count; i++) {
        char *id = NULL;
        HeldKind kind = inventory_classify(virStorageVolGetName(volumes[i]), &id);

        add(objects, kind, id);
        virStorageVolFree(volumes[i]);
    }
    free(volumes);
    return true;
}

GArray *
inventory_read(virConnectPtr libvirt, const HostOptions *options, GError **error)
{
    g_autoptr(GArray) objects = g_array_new(FALSE, TRUE, sizeof(ProtoHeld));

    g_array_set_clear_func(objects, (GDestroyNotify) proto_held_clear);
    if (!add_domains(objects, libvirt, error) ||
        !add_volumes(objects, libvirt, options, error))
        return NULL;
    return g_steal_pointer(&objects);
}
