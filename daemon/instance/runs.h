/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "instance/book.h"

/**
 * Runs of a guest that nobody saw begin or end: while vmd or its host's worker was down,
 * or an event was lost.  What libvirt's hook wrote down tells them to the moment.  Where
 * there is nothing, a run began when its process did, and one that is over ended when it
 * was last seen: never later than it did.
 */

/** Whether what the host tells of a domain holds a run that is not in the ledger. */
bool runs_are_news(const Instance *instance, const ProtoDomain *domain);

/** Whether the domain was looked at while its process was on its way out: the end is
 * written down, and its state is older than that. */
bool runs_have_ended(const ProtoDomain *domain);

/** Brings instance and ledger to the last of these runs.  Any number of times, with what
 * was told before among it, comes to the same. */
void runs_follow(Instance *instance, StoreTx *tx, const ProtoDomain *domain);

/** Whether this process began after what the ledger has of the instance's run. */
bool runs_is_other_process(const Instance *instance, const ProtoEpoch *epoch);

/** Whether a domain is shown as on in a process that began before the ledger had the
 * instance as off, or in none that can be read any more: what was told came late, or the
 * ledger is wrong. */
bool runs_is_doubtful(const Instance *instance, const ProtoDomain *domain);

/** The domain is on or off and nobody saw since when: when to book that it is, as said
 * above. */
LedgerMoment runs_get_start(const Instance *instance, const ProtoDomain *domain);
LedgerMoment runs_get_end(const Instance *instance);

/** The domain is seen to be on. */
void runs_mark_seen(Instance *instance);
