/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/connection.h"

/** What kind of object of ours a volume of this name is, and whose id it bears; "other",
 * with the name, if it is none.  Free ret_id. */
HeldKind inventory_classify(const char *name, char **ret_id);

/** Every object in our pool and every domain of ours, as ProtoHeld that the array clears;
 * a template of several files is told once for each.  Blocking. */
GArray *inventory_read(virConnectPtr libvirt, const HostOptions *options, GError **error);
