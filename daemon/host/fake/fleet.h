/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "proto.h"

/**
 * What a fake host holds: disks, domains and templates, in memory, and if wanted in a
 * journal, so that the host outlives its worker.  A domain that is "absent" is a disk
 * without a domain.
 */
typedef struct FakeFleet FakeFleet;

/** Reads the journal and goes on writing it, once nobody else does; NULL keeps nothing.
 */
FakeFleet *fake_fleet_open(const char *journal, GError **error);

ProtoDomain *fake_fleet_find(FakeFleet *fleet, const char *id);

/** The entry of an id, made if it is not there. */
ProtoDomain *fake_fleet_ensure(FakeFleet *fleet, const char *id);

/** The tenant of an entry that is a template. */
#define FAKE_FLEET_TEMPLATE ".template"

/** Brings a domain to a state; a guest that is off has no agent. */
void fake_fleet_set_state(FakeFleet *fleet, ProtoDomain *domain, DomainState state);

/** Its guest is up and has an address. */
void fake_fleet_hear_agent(FakeFleet *fleet, ProtoDomain *domain);

/** Takes off what was written down of its runs up to then. */
void fake_fleet_forget_runs(FakeFleet *fleet, ProtoDomain *domain, gint64 until_wall_ms);

void fake_fleet_note_template(FakeFleet *fleet, const char *id);

/** Keeps a text for an entry, and gives it back; NULL if there is none. */
void fake_fleet_keep(FakeFleet *fleet, const char *id, const char *keepsake);
const char *fake_fleet_recall(FakeFleet *fleet, const char *id);

/** Writes down how an entry is now. */
void fake_fleet_note(FakeFleet *fleet, const ProtoDomain *domain);
void fake_fleet_remove(FakeFleet *fleet, const char *id);

/** Forgets everything. */
void fake_fleet_free(FakeFleet *fleet);

/** All entries, borrowed. */
GPtrArray *fake_fleet_list(FakeFleet *fleet);
