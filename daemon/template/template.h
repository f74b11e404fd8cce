/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "fleet/fleet.h"
#include "op/operation.h"
#include "store/store.h"

/**
 * The catalogue of templates.  A template is immutable once it is ready; its files lie on
 * hosts under names made from its id.  It is imported to one host, and brought to another
 * at its first use there, from the same folder, whose image must be the same by then.
 */
typedef struct TemplateBook TemplateBook;

typedef struct {
    ProtoTemplateRecord record;
    TemplateBook *book;
    /** Instances that were made from it and still exist. */
    gint64 n_instances;
    /** Copies that are on their way. */
    GSList *fetches;
    /** Its row is of before there were several hosts: its instances tell where it is. */
    bool has_old_record;
    /** Groups that make their members from it. */
    gint64 n_groups;
} Template;

TemplateBook *template_book_new(Store *store, OperationEngine *engine, Fleet *fleet);
void template_book_free(TemplateBook *book);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TemplateBook, template_book_free)

/** Reads the templates; their workflows are added to the engine by template_book_new().
 */
bool template_book_load(TemplateBook *book, GError **error);

/** By id, name:version, or name (its newest ready version).  Fails with
 * PROTO_ERROR_NOT_FOUND. */
Template *template_find(TemplateBook *book, const char *text, GError **error);

/** The same, and it is ready to be used. */
Template *template_find_ready(TemplateBook *book, const char *text, GError **error);

/** By id, or NULL. */
Template *template_get(TemplateBook *book, const char *id);

/** All templates by name and version, from the first after "name:version" on; NULL is
 * from the start. */
GPtrArray *template_list(TemplateBook *book, const char *after, guint limit);

/** "name:version" */
char *template_get_title(const Template *template);

/**
 * Admits the import of the folder source.  Only its worker knows what the folder holds; a
 * template of the same name and version makes the operation fail.  Fails as
 * admission_ask() does.
 */
Operation *template_import(TemplateBook *book,
                           StoreTx *tx,
                           const char *source,
                           OperationRequest *request,
                           GError **error);

/** Takes up a template whose row was lost, from a copy of its record that was found on
 * host.  Its version gets a suffix if another has its name and version by now. */
void template_take_up(TemplateBook *book,
                      StoreTx *tx,
                      const ProtoTemplateRecord *record,
                      const char *host);

/** An instance on host (or NULL) is made from it. */
void template_note_use(Template *template, const char *host);

/** Whether all its files are on the host. */
bool template_is_on_host(const Template *template, const char *host);

/** The hosts it is on: free the array, the names are borrowed. */
char **template_list_hosts(const Template *template);

/** Ends the operation's step when the template is on the host: at once if it is.  One
 * copy is on its way at a time, and serves all who wait for it. */
void template_bring(Template *template, const char *host, Operation *operation);

/** Admits the removal.  Fails with PROTO_ERROR_CONFLICT while an instance uses it. */
Operation *template_remove(TemplateBook *book,
                           StoreTx *tx,
                           Template *template,
                           OperationRequest *request,
                           GError **error);
