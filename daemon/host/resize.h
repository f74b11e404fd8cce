/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/connection.h"

/**
 * Brings a domain to a size.  What runs is changed as far as it will go without a
 * restart, and the guest is asked what it sees; what is off only gets its disk grown, the
 * next definition does the rest.
 */
bool resize_domain(virConnectPtr libvirt,
                   Connection *for_guests,
                   const HostOptions *options,
                   const ProtoWorkerResizeCall *in,
                   ProtoWorkerResizeReply *ret_reply,
                   GError **error);
