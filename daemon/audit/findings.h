/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "proto.h"

/** What an audit has found so far: ProtoFinding that the array owns. */
GPtrArray *findings_new(void);

/** Adds one that is about an object on a host.  id and name may be NULL. */
void findings_add_object(GPtrArray *findings,
                         FindingKind kind,
                         const char *host,
                         HeldKind object,
                         const char *id,
                         const char *name,
                         const char *detail);

/** Adds one that is about the record, or about an instance itself. */
void findings_add(GPtrArray *findings,
                  FindingKind kind,
                  const char *id,
                  const char *name,
                  const char *format,
                  ...) G_GNUC_PRINTF(5, 6);

/** Keeps those about which others says the same. */
void findings_keep_common(GPtrArray *findings, const GPtrArray *others);
