/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * Which disks and NICs a running domain has, from its live XML.  Pure: no libvirt call.
 *
 * libvirt's statistics name a device by where it is: "vda", "vnet7".  Such a name is
 * given to another device, or another domain's, once it is free.
 */
typedef struct {
    /** How statistics call it. */
    char *target;
    /** What it is: its serial number, or where it has none the target; its MAC address.
     */
    char *key;
    /** Another one in its place has another. */
    char *incarnation;
} Device;

typedef struct {
    /** Of Device, owned. */
    GArray *disks;
    GArray *nics;
} Devices;

/** NULL if text is no domain's.  NICs whose traffic the host does not see, those of user
 * mode, are not among them. */
Devices *devices_read(const char *text);
void devices_free(Devices *devices);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Devices, devices_free)
