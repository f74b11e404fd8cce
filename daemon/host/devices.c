/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/devices.h"

#include <string.h>

#include "host/xml.h"

static void
device_clear(gpointer data)
{
    Device *device = data;

    g_free(device->target);
    g_free(device->key);
    g_free(device->incarnation);
}

static GArray *
new_list(void)
{
    GArray *list = g_array_new(FALSE, TRUE, sizeof(Device));

    g_array_set_clear_func(list, device_clear);
    return list;
}

static bool
is_named(xmlNodePtr element, const char *name)
{
    return strcmp((const char *) element->name, name) == 0;
}

static xmlNodePtr
find(xmlNodePtr parent, const char *name)
{
    xmlNodePtr child = xmlFirstElementChild(parent);

    while (child != NULL && !is_named(child, name))
        child = xmlNextElementSibling(child);
    return child;
}

/* An attribute of a child; "" if there is none. */
static char *
get(xmlNodePtr element, const char *child, const char *name)
{
    xmlNodePtr found = find(element, child);
    char *value = found != NULL ? xml_get(found, name) : NULL;

    return value != NULL ? value : g_strdup("");
}

/* What two have does not tell them apart. */
static bool
is_taken(const GArray *list, const char *key)
{
    for (guint i = 0; i < list->len; i++) {
        if (strcmp(g_array_index(list, Device, i).key, key) == 0)
            return true;
    }
    return false;
}

/* libvirt numbers what a domain's disks are backed by, and no number comes twice. */
static void
add_disk(Devices *devices, xmlNodePtr disk)
{
    g_autofree char *serial = xml_find_text(disk, "serial");
    bool is_known =
        serial != NULL && *serial != '\0' && !is_taken(devices->disks, serial);

    Device device = {
        .target = get(disk, "target", "dev"),
        .incarnation = get(disk, "source", "index"),
    };

    device.key = g_strdup(is_known ? serial : device.target);
    g_array_append_val(devices->disks, device);
}

static void
add_nic(Devices *devices, xmlNodePtr nic)
{
    g_autofree char *type = xml_get(nic, "type");
    Device device = { .target = get(nic, "target", "dev"),
                      .key = get(nic, "mac", "address"),
                      .incarnation = get(nic, "target", "dev") };

    if (g_strcmp0(type, "user") == 0 || *device.key == '\0' ||
        is_taken(devices->nics, device.key)) {
        device_clear(&device);
        return;
    }
    g_array_append_val(devices->nics, device);
}

Devices *
devices_read(const char *text)
{
    g_autoptr(xmlDoc) document = xml_parse(text);
    xmlNodePtr list = document != NULL ? find(xml_root(document), "devices") : NULL;
    Devices *devices = NULL;

    if (list == NULL)
        return NULL;
    devices = g_new0(Devices, 1);
    devices->disks = new_list();
    devices->nics = new_list();
    for (xmlNodePtr child = xmlFirstElementChild(list); child != NULL;
         child = xmlNextElementSibling(child)) {
        if (is_named(child, "disk"))
            add_disk(devices, child);
        if (is_named(child, "interface"))
            add_nic(devices, child);
    }
    return devices;
}

void
devices_free(Devices *devices)
{
    if (devices == NULL)
        return;
    g_array_unref(devices->disks);
    g_array_unref(devices->nics);
    g_free(devices);
}
