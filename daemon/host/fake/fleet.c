/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/fake/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"

struct FakeFleet {
    GHashTable *by_id;
    GHashTable *keepsakes;
    FILE *journal;
};

enum {
    PIDS = 32768
};

/* A line of the journal that takes an entry off. */
static const char removed[] = "removed";

/* A line that keeps a text, its name, for an entry. */
static const char keeps[] = ".keepsake";

static void
domain_free(ProtoDomain *domain)
{
    proto_domain_clear(domain);
    g_free(domain);
}

static void
take_line(FakeFleet *fleet, const char *line)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    ProtoDomain *domain = g_new0(ProtoDomain, 1);

    if (!json_parser_load_from_data(parser, line, -1, NULL) ||
        !wire_struct_parse(&proto_domain_type,
                           json_node_get_object(json_parser_get_root(parser)), "domain",
                           WIRE_PARSE_LENIENT, domain, NULL)) {
        g_free(domain);
        return;
    }
    if (strcmp(domain->tenant, removed) == 0) {
        g_hash_table_remove(fleet->by_id, domain->id);
        domain_free(domain);
        return;
    }
    if (strcmp(domain->tenant, keeps) == 0) {
        g_hash_table_replace(fleet->keepsakes, g_strdup(domain->id),
                             g_strdup(domain->name));
        domain_free(domain);
        return;
    }
    g_hash_table_replace(fleet->by_id, domain->id, domain);
}

/* The worker before us may still be at work on the host, which is one: it ends first. */
static FILE *
open_journal(const char *path, GError **error)
{
    FILE *journal = fopen(path, "a+e");

    if (journal != NULL && flock(fileno(journal), LOCK_EX) == 0)
        return journal;
    g_set_error(error, G_FILE_ERROR, (gint) g_file_error_from_errno(errno),
                "Opening %s: %s", path, g_strerror(errno));
    if (journal != NULL)
        fclose(journal);
    return NULL;
}

/* The last line of a journal whose writer was killed may be cut: it goes, so that what is
 * written next is a line of its own. */
static bool
drop_cut_line(FILE *journal, char *text)
{
    char *end = strrchr(text, '\n');
    gsize whole = end != NULL ? (gsize) (end + 1 - text) : 0;

    if (text[whole] == '\0')
        return true;
    text[whole] = '\0';
    return ftruncate(fileno(journal), (off_t) whole) == 0;
}

static bool
read_journal(FakeFleet *fleet, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    fleet->journal = open_journal(path, error);
    if (fleet->journal == NULL || !g_file_get_contents(path, &text, NULL, error))
        return false;
    if (!drop_cut_line(fleet->journal, text)) {
        g_set_error(error, G_FILE_ERROR, (gint) g_file_error_from_errno(errno),
                    "Cutting %s: %s", path, g_strerror(errno));
        return false;
    }
    lines = g_strsplit(text, "\n", 0);
    for (gsize i = 0; lines[i] != NULL; i++) {
        if (*lines[i] != '\0')
            take_line(fleet, lines[i]);
    }
    return true;
}

FakeFleet *
fake_fleet_open(const char *journal, GError **error)
{
    FakeFleet *fleet = g_new0(FakeFleet, 1);

    fleet->by_id = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                         (GDestroyNotify) domain_free);
    fleet->keepsakes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (journal != NULL && !read_journal(fleet, journal, error)) {
        fake_fleet_free(fleet);
        return NULL;
    }
    return fleet;
}

void
fake_fleet_free(FakeFleet *fleet)
{
    if (fleet == NULL)
        return;
    g_hash_table_unref(fleet->by_id);
    g_hash_table_unref(fleet->keepsakes);
    g_clear_pointer(&fleet->journal, fclose);
    g_free(fleet);
}

ProtoDomain *
fake_fleet_find(FakeFleet *fleet, const char *id)
{
    return g_hash_table_lookup(fleet->by_id, id);
}

ProtoDomain *
fake_fleet_ensure(FakeFleet *fleet, const char *id)
{
    ProtoDomain *domain = fake_fleet_find(fleet, id);

    if (domain != NULL)
        return domain;
    domain = g_new0(ProtoDomain, 1);
    domain->id = g_strdup(id);
    domain->tenant = g_strdup("");
    domain->name = g_strdup("");
    g_hash_table_insert(fleet->by_id, domain->id, domain);
    return domain;
}

void
fake_fleet_note(FakeFleet *fleet, const ProtoDomain *domain)
{
    g_autoptr(GString) line = NULL;

    if (fleet->journal == NULL)
        return;
    line = g_string_new(NULL);
    wire_struct_print(&proto_domain_type, domain, line);
    g_string_append_c(line, '\n');
    fwrite(line->str, 1, line->len, fleet->journal);
    fflush(fleet->journal);
}

static bool
is_active(DomainState state)
{
    return state == DOMAIN_STATE_RUNNING || state == DOMAIN_STATE_PAUSED;
}

/* A process of its own, that is none: its start tells it from others. */
static void
set_epoch(ProtoDomain *domain)
{
    if (domain->epoch == NULL)
        domain->epoch = g_new0(ProtoEpoch, 1);
    else
        proto_epoch_clear(domain->epoch);
    domain->epoch->boot_id = g_strdup(clock_boot_id());
    domain->epoch->pid = 1 + g_str_hash(domain->id) % PIDS;
    domain->epoch->pid_start = clock_boot_ms() / CLOCK_TICK_MS;
}

void
fake_fleet_set_state(FakeFleet *fleet, ProtoDomain *domain, DomainState state)
{
    if (is_active(state) && !is_active(domain->state))
        set_epoch(domain);
    domain->state = state;
    if (!is_active(state)) {
        domain->agent = false;
        g_clear_pointer(&domain->addresses, g_strfreev);
    }
    fake_fleet_note(fleet, domain);
}

void
fake_fleet_hear_agent(FakeFleet *fleet, ProtoDomain *domain)
{
    guint number = g_str_hash(domain->id);

    domain->agent = true;
    g_strfreev(domain->addresses);
    domain->addresses = g_new0(char *, 2);
    domain->addresses[0] = g_strdup_printf("10.%u.%u.%u", number >> 16 & 0xff,
                                           number >> 8 & 0xff, number & 0xff);
    fake_fleet_note(fleet, domain);
}

void
fake_fleet_forget_runs(FakeFleet *fleet, ProtoDomain *domain, gint64 until_wall_ms)
{
    gsize n_kept = 0;

    if (domain->n_runs == 0)
        return;
    for (gsize i = 0; i < domain->n_runs; i++) {
        if (domain->runs[i].wall_ms <= until_wall_ms) {
            proto_run_clear(&domain->runs[i]);
        } else {
            domain->runs[n_kept++] = domain->runs[i];
        }
    }
    domain->n_runs = n_kept;
    fake_fleet_note(fleet, domain);
}

void
fake_fleet_note_template(FakeFleet *fleet, const char *id)
{
    ProtoDomain *entry = fake_fleet_ensure(fleet, id);

    g_free(entry->tenant);
    entry->tenant = g_strdup(FAKE_FLEET_TEMPLATE);
    fake_fleet_note(fleet, entry);
}

void
fake_fleet_keep(FakeFleet *fleet, const char *id, const char *keepsake)
{
    const ProtoDomain line = {
        .id = (char *) (gsize) id,
        .tenant = (char *) (gsize) keeps,
        .name = (char *) (gsize) keepsake,
    };

    g_hash_table_replace(fleet->keepsakes, g_strdup(id), g_strdup(keepsake));
    fake_fleet_note(fleet, &line);
}

const char *
fake_fleet_recall(FakeFleet *fleet, const char *id)
{
    return g_hash_table_lookup(fleet->keepsakes, id);
}

void
fake_fleet_remove(FakeFleet *fleet, const char *id)
{
    const ProtoDomain gone = {
        .id = (char *) (gsize) id,
        .tenant = (char *) (gsize) removed,
        .name = (char *) (gsize) "",
    };

    if (fake_fleet_find(fleet, id) == NULL)
        return;
    fake_fleet_note(fleet, &gone);
    g_hash_table_remove(fleet->keepsakes, id);
    g_hash_table_remove(fleet->by_id, id);
}

GPtrArray *
fake_fleet_list(FakeFleet *fleet)
{
    GPtrArray *all = g_ptr_array_new();
    GHashTableIter iter;
    gpointer domain = NULL;

    g_hash_table_iter_init(&iter, fleet->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &domain)) {
        g_ptr_array_add(all, domain);
    }
    return all;
}
