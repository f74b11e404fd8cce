/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/epoch.h"

#include <string.h>

bool
epoch_is_same(const ProtoEpoch *a, const ProtoEpoch *b)
{
    return a->pid == b->pid && a->pid_start == b->pid_start && a->boot_id != NULL &&
           b->boot_id != NULL && strcmp(a->boot_id, b->boot_id) == 0;
}
