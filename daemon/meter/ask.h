/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/rpc.h"

/**
 * A call of which it was found out who makes it, and for which the store and the books
 * were brought up to now.
 */
typedef struct {
    WireCall *call;
    Meter *meter;
    /** Of the call; lives as long as it does. */
    const void *in;
    Role role;
    char *tenant;
} Ask;

/** Answers, or fails, the call. */
typedef void (*AskReady)(const Ask *ask);

/** Calls ready when all is there; fails the call if the caller is less than needs. */
void ask_start(WireCall *call, const void *in, Role needs, AskReady ready);
