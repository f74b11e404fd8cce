/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/connection.h"

/**
 * Brings a template's folder into the pool.  The folder is a stranger: it is opened below
 * the import folder without following a link, its manifest passes the guard, and its
 * image's header is checked on the descriptor that is then read.
 */
bool import_template(virConnectPtr libvirt,
                     const HostOptions *options,
                     const ProtoWorkerImportTemplateCall *in,
                     ProtoWorkerImportTemplateReply *ret_reply,
                     GError **error);

/** Deletes what an import made. */
bool import_remove(virConnectPtr libvirt,
                   const HostOptions *options,
                   const char *id,
                   GError **error);
