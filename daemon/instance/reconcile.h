/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "instance/book.h"

/**
 * Brings the instances in line with what their host shows.  What an operation works on is
 * left to it; nothing is ever destroyed here.
 */

/** All domains of ours on a host: an instance there whose domain is not among them has
 * lost it. */
void reconcile_host(InstanceBook *book,
                    const char *host,
                    const ProtoDomain *domains,
                    gsize n_domains);

/** One domain, as a host told of it when asked.  What another host than its instance's
 * tells is passed over, unless that one is not there any more: then it has moved. */
void reconcile_domain(InstanceBook *book, const char *host, const ProtoDomain *domain);

/** The same, told of by itself, because something just happened to it. */
void reconcile_event(InstanceBook *book, const char *host, const ProtoDomain *domain);

/** Asks the host how the domain is, and for its counters. */
void reconcile_look(Instance *instance);
