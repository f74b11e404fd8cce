/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"

/**
 * The truth: every domain there ever was, what it was when, and what it used, to the
 * millisecond and the byte, whether or not anybody heard of it.  And of each counter how
 * much vmd has taken note of.
 */

/** A process that ran a domain, from its start to its end. */
typedef struct {
    ProtoEpoch epoch;
    /** By the wall clock, and since the world began. */
    gint64 started_wall_ms;
    gint64 started_ms;
    /** 0 while it lives. */
    gint64 ended_ms;
    gint64 raw[COUNTER_N];
    gint64 rates[COUNTER_N];
    /** As vmd last took it, and what of that its disk has. */
    gint64 told[COUNTER_N];
    gint64 told_ms;
    gint64 kept[COUNTER_N];
} Life;

typedef struct {
    char *id;
    char *tenant;
    char *name;
    char *mac;
    DomainState state;
    gint64 vcpus;
    gint64 memory_bytes;
    gint64 generation;
    /** Of Life, the last one last. */
    GPtrArray *lives;
    gint64 reached_ms;
    /** It powers off. */
    guint off_source;
    /** It was removed. */
    bool is_gone;
} Guest;

void guests_begin(void);
void guests_end(void);

/** func is told when one has changed. */
void guests_on_change(void (*func)(Guest *guest));

/** In the order in which they were made, also those that are gone. */
const GPtrArray *guests_get_all(void);

/** NULL if there is none, or not any more. */
Guest *guests_find(const char *id);

/** The same of one that may be gone. */
Guest *guests_find_ever(const char *id);

/** Makes one, or defines it anew. */
void guest_define(const ProtoDomainSpec *spec);
void guest_set_state(Guest *guest, DomainState state);
void guest_set_size(Guest *guest, gint64 vcpus, gint64 memory_bytes);
void guest_remove(Guest *guest);

/** It heard that it is to power off, and will have done so after after_ms. */
void guest_shut_down(Guest *guest, guint after_ms);

/** Its counters go at another pace from now on. */
void guest_change_pace(Guest *guest);

bool guest_is_active(const Guest *guest);

/** The process that runs it, or ran it last; NULL before the first. */
Life *guest_get_life(const Guest *guest);

/** As the host shows it. */
void guest_show(const Guest *guest, ProtoDomain *ret_domain);

/** Counts up to now. */
void guest_advance(Guest *guest);

/** What its counters tell now.  has_cpu and so on: the rest is missing. */
void guest_read(
    Guest *guest, bool has_cpu, bool has_disk, bool has_nic, ProtoDomainStats *ret_stats);

/** The power goes: none is active. */
void guests_lose_power(void);
