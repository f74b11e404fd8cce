/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/fake/fleet.h"
#include "host/fake/script.h"

/**
 * The service of a host that is not there: the same interface as vmd-host, over a fleet
 * in memory.  Every call and every event first meets a rule, which may delay, fail, hang
 * or lose it or end the service; then it does to the fleet what the real one does to
 * libvirt.  Runs on the main loop.
 */
typedef struct FakeHost FakeHost;

typedef struct {
    /** Borrowed, and outlives the service. */
    FakeFleet *fleet;
    const ScriptFigures *figures;
    /** The rule for a call of method with its call struct, or for an event if that is
     * SCRIPT_EVENT; NULL if nothing goes wrong.  It must live as long as the call. */
    const ScriptRule *(*match)(const char *method, const void *in, gpointer data);
    /** A rule ends the service: this frees it, or does not return. */
    void (*ended)(FakeHost *fake, gpointer data);
    /** All connections have gone; NULL if nobody cares. */
    void (*left)(gpointer data);
    gpointer data;
} FakeHostOptions;

/** Serves connected sockets, which it takes. */
FakeHost *fake_host_new(const FakeHostOptions *options, const int *fds, guint n_fds);

/** Ends it.  Calls that wait are carried out first or dropped; either way nobody gets an
 * answer. */
void fake_host_free(FakeHost *fake, bool carries_out);

/** Tells of a domain, or of the connection to libvirt (domain is NULL). */
void fake_host_tell(FakeHost *fake, HostEventKind kind, const ProtoDomain *domain);
