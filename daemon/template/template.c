/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "template/template.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "op/admission.h"

enum {
    IMPORT_TIMEOUT_MS = 3600000,
    REMOVE_TIMEOUT_MS = 120000
};

struct TemplateBook {
    Store *store;
    OperationEngine *engine;
    Fleet *fleet;
    /** id to Template. */
    GHashTable *by_id;
};

/** A copy that is on its way to a host, and the operations whose step waits for it. */
typedef struct {
    Template *template;
    char *host;
    GPtrArray *operations;
} Fetch;

static void
fetch_free(Fetch *fetch)
{
    g_ptr_array_unref(fetch->operations);
    g_free(fetch->host);
    g_free(fetch);
}

static void
template_free(Template *template)
{
    g_slist_free_full(template->fetches, (GDestroyNotify) fetch_free);
    proto_template_record_clear(&template->record);
    g_free(template);
}

/* Two may be imported as the same version, and two may have failed at that: what has not
 * been ready is told apart by its id. */
static void
put(Template *template, StoreTx *tx)
{
    const ProtoTemplate *view = &template->record.view;
    bool has_version = view->state != TEMPLATE_STATE_IMPORTING && *view->version != '\0';

    store_put(tx, STORE_TEMPLATE, view->id, view->name,
              has_version ? view->version : view->id, &proto_template_record_type,
              &template->record);
}

static void
forget(Template *template, StoreTx *tx)
{
    store_delete(tx, STORE_TEMPLATE, template->record.view.id);
    g_hash_table_remove(template->book->by_id, template->record.view.id);
}

static void
add_event(Template *template, StoreTx *tx, EventKind kind)
{
    ProtoEvent event = {
        .kind = kind,
        .subject = g_strdup(template->record.view.id),
        .name = template_get_title(template),
    };

    store_add_event(tx, &event);
}

static Template *
get_target(Operation *operation)
{
    return template_get(operation_get_owner(operation), operation->record.view.target);
}

/* Copies */

static ProtoTemplateCopy *
find_copy(const Template *template, const char *host)
{
    for (gsize i = 0; i < template->record.n_copies; i++) {
        if (strcmp(template->record.copies[i].host, host) == 0)
            return &template->record.copies[i];
    }
    return NULL;
}

static void
set_copy(Template *template, const char *host, bool ready)
{
    ProtoTemplateRecord *record = &template->record;
    ProtoTemplateCopy *copy = find_copy(template, host);

    if (copy == NULL) {
        record->copies = g_renew(ProtoTemplateCopy, record->copies, record->n_copies + 1);
        copy = &record->copies[record->n_copies++];
        *copy = (ProtoTemplateCopy){ .host = g_strdup(host) };
    }
    copy->ready = ready;
}

static void
drop_last_copy(Template *template)
{
    ProtoTemplateRecord *record = &template->record;

    proto_template_copy_clear(&record->copies[--record->n_copies]);
}

bool
template_is_on_host(const Template *template, const char *host)
{
    const ProtoTemplateCopy *copy = find_copy(template, host);

    return copy != NULL && copy->ready;
}

char **
template_list_hosts(const Template *template)
{
    const ProtoTemplateRecord *record = &template->record;
    char **hosts = g_new0(char *, record->n_copies + 1);
    gsize n_hosts = 0;

    for (gsize i = 0; i < record->n_copies; i++) {
        if (record->copies[i].ready)
            hosts[n_hosts++] = record->copies[i].host;
    }
    return hosts;
}

void
template_note_use(Template *template, const char *host)
{
    template->n_instances++;
    if (template->has_old_record && host != NULL)
        set_copy(template, host, true);
}

static void
tell_fetched(Fetch *fetch, const GError *error)
{
    Template *template = fetch->template;

    template->fetches = g_slist_remove(template->fetches, fetch);
    for (guint i = 0; i < fetch->operations->len; i++) {
        GError *copy = error != NULL ? g_error_copy(error) : NULL;

        if (copy != NULL)
            g_prefix_error(
                &copy, "Bringing template %s:%s to host %s: ", template->record.view.name,
                template->record.view.version, fetch->host);
        operation_step_done(fetch->operations->pdata[i], copy);
    }
    fetch_free(fetch);
}

static void
on_fetched(const void *out, bool continues, const GError *error, gpointer data)
{
    Fetch *fetch = data;
    Template *template = fetch->template;

    if (error == NULL) {
        StoreTx *tx = store_begin(template->book->store);

        set_copy(template, fetch->host, true);
        put(template, tx);
        store_commit(tx);
    }
    tell_fetched(fetch, error);
}

static void
start_fetch(gpointer data)
{
    Fetch *fetch = data;
    Template *template = fetch->template;
    const ProtoWorkerImportTemplateCall in = {
        .id = template->record.view.id,
        .source = template->record.source,
        .sha256 = template->record.view.sha256,
    };

    fleet_call(template->book->fleet, fetch->host, HOST_LANE_GENERAL,
               &proto_worker_import_template, &in, IMPORT_TIMEOUT_MS, on_fetched, fetch);
}

/* That files of it may be there is on disk before any is. */
static void
begin_fetch(Template *template, const char *host, Operation *operation)
{
    Fetch *fetch = g_new0(Fetch, 1);
    StoreTx *tx = store_begin(template->book->store);

    fetch->template = template;
    fetch->host = g_strdup(host);
    fetch->operations = g_ptr_array_new();
    g_ptr_array_add(fetch->operations, operation);
    template->fetches = g_slist_prepend(template->fetches, fetch);
    set_copy(template, host, false);
    put(template, tx);
    store_on_commit(tx, start_fetch, fetch);
    store_commit(tx);
}

void
template_bring(Template *template, const char *host, Operation *operation)
{
    if (template_is_on_host(template, host)) {
        operation_step_done(operation, NULL);
        return;
    }
    for (GSList *item = template->fetches; item != NULL; item = item->next) {
        Fetch *fetch = item->data;

        if (strcmp(fetch->host, host) == 0) {
            g_ptr_array_add(fetch->operations, operation);
            return;
        }
    }
    begin_fetch(template, host, operation);
}

/* Import */

static Template *
find_exact(TemplateBook *book, const char *name, const char *version)
{
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Template *template = value;

        if (template->record.view.state != TEMPLATE_STATE_IMPORTING &&
            strcmp(template->record.view.name, name) == 0 &&
            strcmp(template->record.view.version, version) == 0)
            return template;
    }
    return NULL;
}

static void
take_manifest(Template *template, const ProtoManifest *manifest, const char *sha256)
{
    ProtoTemplate *view = &template->record.view;

    text_replace(&view->name, manifest->name);
    text_replace(&view->version, manifest->version);
    text_replace(&view->description, manifest->description);
    text_replace(&view->arch, manifest->arch);
    text_replace(&view->login_user, manifest->login_user);
    text_replace(&view->sha256, sha256);
    view->minimum = manifest->minimum;
    view->default_ = manifest->default_;
    text_replace(&template->record.cmdline,
                 manifest->kernel != NULL ? manifest->cmdline : NULL);
    template->record.initrd = manifest->initrd != NULL;
}

static void
on_imported(const void *out, bool continues, const GError *error, gpointer data)
{
    const ProtoWorkerImportTemplateReply *reply = out;
    Operation *operation = data;
    Template *template = get_target(operation);
    GError *refusal = NULL;

    if (error != NULL) {
        operation_step_done(operation, g_error_copy(error));
        return;
    }
    if (find_exact(template->book, reply->manifest.name, reply->manifest.version) !=
        NULL) {
        proto_error_set_already_exists(&refusal, "template", reply->manifest.name,
                                       "There is a template %s:%s already",
                                       reply->manifest.name, reply->manifest.version);
    } else {
        take_manifest(template, &reply->manifest, reply->sha256);
        set_copy(template, template->record.copies[0].host, true);
    }
    operation_step_done(operation, refusal);
}

static void
apply_import(Operation *operation)
{
    Template *template = get_target(operation);
    ProtoWorkerImportTemplateCall in = {
        .id = template->record.view.id,
        .source = template->record.source,
    };

    fleet_call(template->book->fleet, template->record.copies[0].host, HOST_LANE_GENERAL,
               &proto_worker_import_template, &in, IMPORT_TIMEOUT_MS, on_imported,
               operation);
}

static void remove_next(Operation *operation);

static void
on_removed(const void *out, bool continues, const GError *error, gpointer data)
{
    Operation *operation = data;
    Template *template = get_target(operation);
    StoreTx *tx = NULL;

    if (error != NULL) {
        operation_step_done(operation, g_error_copy(error));
        return;
    }
    tx = store_begin(template->book->store);
    drop_last_copy(template);
    put(template, tx);
    store_commit(tx);
    remove_next(operation);
}

/* The copies go one after another; those of hosts that are not there any more are
 * forgotten. */
static void
remove_next(Operation *operation)
{
    Template *template = get_target(operation);
    Fleet *fleet = template->book->fleet;
    const ProtoWorkerRemoveTemplateCall in = { .id = template->record.view.id };
    const ProtoTemplateRecord *record = &template->record;

    while (record->n_copies > 0 &&
           fleet_find(fleet, record->copies[record->n_copies - 1].host) == NULL) {
        drop_last_copy(template);
    }
    if (record->n_copies == 0) {
        operation_step_done(operation, NULL);
    } else {
        fleet_call(fleet, record->copies[record->n_copies - 1].host, HOST_LANE_URGENT,
                   &proto_worker_remove_template, &in, REMOVE_TIMEOUT_MS, on_removed,
                   operation);
    }
}

static void
apply_remove(Operation *operation)
{
    remove_next(operation);
}

static void
finish_import(Operation *operation, StoreTx *tx)
{
    Template *template = get_target(operation);

    if (operation->undo_failed) {
        text_replace(&template->record.view.version, "");
        template->record.view.state = TEMPLATE_STATE_BROKEN;
        put(template, tx);
        return;
    }
    if (operation->record.view.state != OPERATION_STATE_SUCCEEDED) {
        forget(template, tx);
        return;
    }
    template->record.view.state = TEMPLATE_STATE_READY;
    put(template, tx);
    add_event(template, tx, EVENT_KIND_TEMPLATE_ADDED);
}

static const WorkflowStep import_steps[] = {
    { "import", apply_import, apply_remove },
    { 0 },
};

static const Workflow import_workflow = {
    .kind = OPERATION_KIND_TEMPLATE_IMPORT,
    .steps = import_steps,
    .deadline_ms = IMPORT_TIMEOUT_MS,
    .takes = workflow_takes_nothing,
    .can_cancel = true,
    .finish = finish_import,
};

/* The first that answers, or else the first. */
static const char *
choose_host(const TemplateBook *book)
{
    const GPtrArray *hosts = fleet_get_hosts(book->fleet);

    for (guint i = 0; i < hosts->len; i++) {
        if (host_is_connected(hosts->pdata[i]))
            return host_get_name(hosts->pdata[i]);
    }
    return host_get_name(hosts->pdata[0]);
}

Operation *
template_import(TemplateBook *book,
                StoreTx *tx,
                const char *source,
                OperationRequest *request,
                GError **error)
{
    g_autoptr(Admission) admission = NULL;
    Template *template = NULL;

    request->kind = OPERATION_KIND_TEMPLATE_IMPORT;
    admission = admission_ask(book->engine, request, 1, error);
    if (admission == NULL)
        return NULL;
    template = g_new0(Template, 1);
    template->book = book;
    template->record = (ProtoTemplateRecord){
        .view = { .id = g_uuid_string_random(),
                  .name = g_strdup(source),
                  .version = g_strdup(""),
                  .description = g_strdup(""),
                  .arch = g_strdup(""),
                  .login_user = g_strdup(""),
                  .sha256 = g_strdup(""),
                  .state = TEMPLATE_STATE_IMPORTING,
                  .minimum = { 1, 16777216, 1048576 },
                  .default_ = { 1, 16777216, 1048576 },
                  .created_at = clock_format_time(clock_wall_ms()) },
        .source = g_strdup(source),
    };
    set_copy(template, choose_host(book), false);
    g_hash_table_insert(book->by_id, template->record.view.id, template);
    put(template, tx);
    request->target = template->record.view.id;
    request->target_name = source;
    return operation_admit(admission, tx, request);
}

enum {
    SUFFIX_LENGTH = 8
};

static void
forget_copies(Template *template)
{
    while (template->record.n_copies > 0) {
        drop_last_copy(template);
    }
}

void
template_take_up(TemplateBook *book,
                 StoreTx *tx,
                 const ProtoTemplateRecord *record,
                 const char *host)
{
    Template *template = template_get(book, record->view.id);
    ProtoTemplate *view = NULL;

    if (template != NULL) {
        set_copy(template, host, true);
        put(template, tx);
        return;
    }
    template = g_new0(Template, 1);
    template->book = book;
    proto_template_record_copy(record, &template->record);
    forget_copies(template);
    set_copy(template, host, true);
    view = &template->record.view;
    view->state = TEMPLATE_STATE_READY;
    if (find_exact(book, view->name, view->version) != NULL) {
        char *version =
            g_strdup_printf("%s-%.*s", view->version, SUFFIX_LENGTH, view->id);

        g_free(view->version);
        view->version = version;
    }
    g_hash_table_insert(book->by_id, view->id, template);
    put(template, tx);
    add_event(template, tx, EVENT_KIND_TEMPLATE_ADDED);
}

/* Removal */

static void
begin_removal(Operation *operation, StoreTx *tx)
{
    Template *template = get_target(operation);

    template->record.view.state = TEMPLATE_STATE_REMOVING;
    put(template, tx);
}

static void
finish_removal(Operation *operation, StoreTx *tx)
{
    Template *template = get_target(operation);

    if (operation->record.view.state != OPERATION_STATE_SUCCEEDED) {
        /* Some of its files may be gone. */
        template->record.view.state = TEMPLATE_STATE_BROKEN;
        put(template, tx);
        return;
    }
    add_event(template, tx, EVENT_KIND_TEMPLATE_REMOVED);
    forget(template, tx);
}

static const WorkflowStep removal_steps[] = {
    { "remove", apply_remove, NULL },
    { 0 },
};

static const Workflow removal_workflow = {
    .kind = OPERATION_KIND_TEMPLATE_REMOVE,
    .steps = removal_steps,
    .deadline_ms = IMPORT_TIMEOUT_MS,
    .takes = workflow_takes_nothing,
    .gives_back = true,
    .begin = begin_removal,
    .finish = finish_removal,
};

Operation *
template_remove(TemplateBook *book,
                StoreTx *tx,
                Template *template,
                OperationRequest *request,
                GError **error)
{
    g_autoptr(Admission) admission = NULL;
    ProtoTemplate *view = &template->record.view;
    Operation *active = operation_find_active(book->engine, view->id);

    if (template->n_instances > 0 || template->n_groups > 0 || active != NULL) {
        proto_error_set_conflict(
            error, "template", view->name, active != NULL ? active->record.view.id : NULL,
            "The template is in use: %" G_GINT64_FORMAT " instances, %" G_GINT64_FORMAT
            " groups, %s",
            template->n_instances, template->n_groups,
            active != NULL ? "an operation is under way" : "no operation");
        return NULL;
    }
    request->kind = OPERATION_KIND_TEMPLATE_REMOVE;
    admission = admission_ask(book->engine, request, 1, error);
    if (admission == NULL)
        return NULL;
    /* From here on nothing new is made from it, also after a crash. */
    view->state = TEMPLATE_STATE_REMOVING;
    put(template, tx);
    request->target = view->id;
    request->target_name = view->name;
    return operation_admit(admission, tx, request);
}

/* The catalogue */

TemplateBook *
template_book_new(Store *store, OperationEngine *engine, Fleet *fleet)
{
    TemplateBook *book = g_new0(TemplateBook, 1);

    book->store = store;
    book->engine = engine;
    book->fleet = fleet;
    book->by_id = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                        (GDestroyNotify) template_free);
    operation_engine_add(engine, &import_workflow, book);
    operation_engine_add(engine, &removal_workflow, book);
    return book;
}

void
template_book_free(TemplateBook *book)
{
    if (book == NULL)
        return;
    g_hash_table_unref(book->by_id);
    g_free(book);
}

static void
load_row(gpointer record, gpointer data)
{
    Template *template = g_new0(Template, 1);
    g_autofree ProtoTemplateRecord *owned = record;

    template->book = data;
    template->record = *owned;
    if (owned->n_copies == 0 && owned->view.state == TEMPLATE_STATE_READY) {
        template->has_old_record = true;
        set_copy(template, choose_host(template->book), true);
    }
    g_hash_table_insert(template->book->by_id, template->record.view.id, template);
}

bool
template_book_load(TemplateBook *book, GError **error)
{
    return store_load(book->store, STORE_TEMPLATE, &proto_template_record_type, load_row,
                      book, error);
}

Template *
template_get(TemplateBook *book, const char *id)
{
    return g_hash_table_lookup(book->by_id, id);
}

char *
template_get_title(const Template *template)
{
    return g_strdup_printf("%s:%s", template->record.view.name,
                           template->record.view.version);
}

/* By name, then by when it was made, the newest first. */
static int
compare_newest(const Template *a, const Template *b)
{
    int names = strcmp(a->record.view.name, b->record.view.name);

    return names != 0 ? names
                      : strcmp(b->record.view.created_at, a->record.view.created_at);
}

static Template *
find_newest(TemplateBook *book, const char *name)
{
    GHashTableIter iter;
    gpointer value = NULL;
    Template *best = NULL;

    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Template *template = value;

        if (strcmp(template->record.view.name, name) == 0 &&
            template->record.view.state == TEMPLATE_STATE_READY &&
            (best == NULL || compare_newest(template, best) < 0))
            best = template;
    }
    return best;
}

Template *
template_find(TemplateBook *book, const char *text, GError **error)
{
    const char *colon = strchr(text, ':');
    Template *template = template_get(book, text);

    if (template == NULL && colon != NULL) {
        g_autofree char *name = g_strndup(text, (gsize) (colon - text));

        template = find_exact(book, name, colon + 1);
    } else if (template == NULL) {
        template = find_newest(book, text);
    }
    if (template == NULL)
        proto_error_set_not_found(error, "template", text, "There is no template \"%s\"",
                                  text);
    return template;
}

Template *
template_find_ready(TemplateBook *book, const char *text, GError **error)
{
    Template *template = template_find(book, text, error);

    if (template != NULL && template->record.view.state != TEMPLATE_STATE_READY) {
        proto_error_set_not_found(error, "template", text, "The template \"%s\" is %s",
                                  text,
                                  template_state_to_string(template->record.view.state));
        return NULL;
    }
    return template;
}

static int
compare_titles(gconstpointer a, gconstpointer b)
{
    g_autofree char *first = template_get_title(*(Template *const *) a);
    g_autofree char *second = template_get_title(*(Template *const *) b);
    int order = strcmp(first, second);

    return order != 0 ? order
                      : strcmp((*(Template *const *) a)->record.view.id,
                               (*(Template *const *) b)->record.view.id);
}

GPtrArray *
template_list(TemplateBook *book, const char *after, guint limit)
{
    GPtrArray *page = g_ptr_array_new();
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        g_ptr_array_add(all, value);
    }
    g_ptr_array_sort(all, compare_titles);
    for (guint i = 0; i < all->len && page->len < limit; i++) {
        g_autofree char *title = template_get_title(all->pdata[i]);

        if (after == NULL || strcmp(title, after) > 0)
            g_ptr_array_add(page, all->pdata[i]);
    }
    return page;
}
