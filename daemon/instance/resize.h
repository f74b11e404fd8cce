/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "instance/book.h"

/**
 * The size that a request asks for, checked against the template and the disk.
 * Changes nothing.
 */
bool resize_plan(Instance *instance,
                 const ProtoInstanceResizeCall *in,
                 ProtoSize *ret_size,
                 GError **error);
