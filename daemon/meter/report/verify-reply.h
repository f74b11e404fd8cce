/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/verify.h"
#include "wire/server.h"

/**
 * Answers a call of io.vmctl.Billing.Verify: does all of verify, which it takes over, and
 * tells on the way how far it is.  shows_resources: whether the caller may see of which
 * instance a fault is.  Ends call.
 */
void verify_reply_start(WireCall *call, Verify *verify, bool shows_resources);
