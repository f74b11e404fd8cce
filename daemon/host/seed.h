/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "proto.h"

/**
 * The NoCloud seed of an instance: an ISO 9660 image with the label "cidata" that holds
 * meta-data and network-config, both written by us as JSON (which is YAML), and user-data
 * untouched. See
 * https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html
 */
GBytes *seed_make(const ProtoWorkerCreateSeedCall *in, GError **error);

/** The texts of meta-data and of network-config. */
char *seed_print_meta_data(const ProtoWorkerCreateSeedCall *in);
char *seed_print_network_config(const ProtoWorkerCreateSeedCall *in);
