/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * What `vmctl doctor` finds.  The checks of this file look at the machine alone, below a
 * root folder, so that a test can give them another one.
 */
typedef enum {
    CHECK_OK,
    /** It works, but worse than it could. */
    CHECK_WARN,
    CHECK_FAIL,
    CHECK_N,
} CheckResult;

const char *check_result_to_string(CheckResult result);

typedef struct {
    const char *name;
    CheckResult result;
    /** What is the case; owned. */
    char *found;
    /** What to do about it, or NULL. */
    const char *mend;
} Finding;

void finding_free(Finding *finding);

/** Adds a finding to a list of Finding. */
void finding_add(GPtrArray *findings,
                 const char *name,
                 CheckResult result,
                 const char *mend,
                 const char *format,
                 ...) G_GNUC_PRINTF(5, 6);

/** Processor, /dev/kvm, QEMU, libvirt's sockets and folders, its network. */
void checks_run(const char *root, GPtrArray *findings);
