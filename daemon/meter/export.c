/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/export.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "meter/calendar.h"
#include "proto.h"
#include "wire/client.h"

enum {
    CALL_MS = 120000
};

typedef struct {
    char *socket;
    char *into;
    char *day;
    char *month;
    char *focus_version;
} Options;

/* What is written into one folder. */
typedef struct {
    const Options *options;
    WireClient *client;
    /* "2026-10-12", or "2026-10". */
    const char *name;
    bool is_month;
    Window window;
    char *folder;
    gint64 as_of;
    GString *sums;
} Export;

typedef struct {
    const char *name;
    ReportFormatName format;
    const char *groups;
} ExportFile;

static const ExportFile files[] = {
    { "usage.csv", REPORT_FORMAT_NAME_CSV, "tenant,instance,meter,day" },
    { "report.json", REPORT_FORMAT_NAME_JSON, NULL },
    { "focus.csv", REPORT_FORMAT_NAME_FOCUS, NULL },
    { "focus-metadata.json", REPORT_FORMAT_NAME_FOCUS_METADATA, NULL },
};

/* The row as of which they are, and the checksums, which come last. */
static const char head_name[] = "ledger.json";
static const char sums_name[] = "SHA256SUMS";
static const char *const texts[] = { head_name, sums_name };

static void
options_clear(Options *options)
{
    g_free(options->socket);
    g_free(options->into);
    g_free(options->day);
    g_free(options->month);
    g_free(options->focus_version);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static void
export_clear(Export *self)
{
    g_free(self->folder);
    g_string_free(self->sums, TRUE);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Export, export_clear)

static char *
find_path(const Export *self, const char *name)
{
    return g_build_filename(self->folder, name, NULL);
}

/* Beside what it will take the place of, and not seen by who looks for files. */
static char *
find_new_path(const Export *self, const char *name)
{
    g_autofree char *hidden = g_strdup_printf(".%s.new", name);

    return find_path(self, hidden);
}

static bool
fail_file(const char *path, const char *what, GError **error)
{
    int code = errno;

    g_set_error(error, G_FILE_ERROR, (gint) g_file_error_from_errno(code), "%s %s: %s",
                what, path, g_strerror(code));
    return false;
}

/* Files */

/* What is in a file, and which names are in a folder, is on the disk. */
static bool
sync_file(FILE *file)
{
    return fflush(file) == 0 && fsync(fileno(file)) == 0;
}

static bool
sync_folder(const Export *self, GError **error)
{
    int fd = open(self->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;

    if (!done)
        fail_file(self->folder, "Writing", error);
    if (fd >= 0)
        close(fd);
    return done;
}

static bool
put_in_place(const Export *self, const char *name, GError **error)
{
    g_autofree char *from = find_new_path(self, name);
    g_autofree char *to = find_path(self, name);

    return g_rename(from, to) == 0 || fail_file(to, "Putting in place", error);
}

/* A small file, whole or not at all. */
static bool
put_text(const Export *self, const char *name, const char *text, GError **error)
{
    g_autofree char *path = find_new_path(self, name);
    FILE *file = fopen(path, "we");
    bool done = false;

    if (file == NULL)
        return fail_file(path, "Making", error);
    done = fputs(text, file) >= 0 && sync_file(file);
    if (!done)
        fail_file(path, "Writing", error);
    fclose(file);
    return done && put_in_place(self, name, error) && sync_folder(self, error);
}

/* Asking */

typedef bool (*TakeText)(const char *text, gpointer data, GError **error);

static bool
receive_report(WireClient *client, TakeText take, gpointer data, GError **error)
{
    for (;;) {
        g_auto(WireReply) reply = { 0 };
        const char *text = NULL;

        if (!wire_client_receive(client, CALL_MS, &reply, error))
            return false;
        text = json_object_get_string_member_with_default(
            json_node_get_object(reply.parameters), "text", "");
        if (!take(text, data, error))
            return false;
        if (!reply.continues)
            return true;
    }
}

static bool
ask_report(const Export *self,
           const ExportFile *file,
           TakeText take,
           gpointer data,
           GError **error)
{
    g_autofree char *from = clock_format_time(self->window.from_ms);
    g_autofree char *to = clock_format_time(self->window.to_ms);
    g_autoptr(GString) text = g_string_new(NULL);
    const bool is_focus = file->format == REPORT_FORMAT_NAME_FOCUS ||
                          file->format == REPORT_FORMAT_NAME_FOCUS_METADATA;
    const ProtoBillingReportCall call = {
        .from = from,
        .to = to,
        .group_by = (char *) (gsize) file->groups,
        .has_format = true,
        .format = file->format,
        .focus_version = is_focus ? self->options->focus_version : NULL,
        .has_as_of = self->as_of != 0,
        .as_of = self->as_of,
    };

    wire_struct_print(&proto_billing_report_call_type, &call, text);
    return wire_client_send(self->client, proto_billing_report.full_name, text->str,
                            WIRE_CLIENT_MORE, error) &&
           receive_report(self->client, take, data, error);
}

/* The row as of which */

static bool
collect(const char *text, gpointer data, GError **error)
{
    g_string_append(data, text);
    return true;
}

/* Whether all is known: what is open counts up to the row, and a month may change until
 * it is closed. */
static bool
check_report(const Export *self, JsonObject *report, GError **error)
{
    JsonObject *head = json_object_get_object_member(report, "ledger_head");
    const char *at = json_object_get_string_member(head, "at");
    gint64 at_ms = 0;

    if (self->is_month && !json_object_get_boolean_member(report, "closed")) {
        proto_error_set_illegal_state(error, "open", "%s is not closed", self->name);
        return false;
    }
    if (clock_parse_time(at, &at_ms) && at_ms >= self->window.to_ms)
        return true;
    proto_error_set_illegal_state(error, "early",
                                  "The ledger's newest row is of %s: all of %s is known "
                                  "when there is a later one",
                                  at, self->name);
    return false;
}

static bool
keep_head(Export *self, JsonObject *report, GError **error)
{
    g_autofree char *text =
        json_to_string(json_object_get_member(report, "ledger_head"), FALSE);
    g_autofree char *line = g_strconcat(text, "\n", NULL);

    self->as_of = json_object_get_int_member(
        json_object_get_object_member(report, "ledger_head"), "seq");
    return put_text(self, head_name, line, error);
}

/* A closed month has a row of its own, and for what is not closed it is the newest. */
static bool
choose_head(Export *self, GError **error)
{
    const ExportFile file = { NULL, REPORT_FORMAT_NAME_JSON, "day" };
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(JsonNode) root = NULL;

    if (!ask_report(self, &file, collect, text, error))
        return false;
    root = json_from_string(text->str, error);
    return root != NULL && check_report(self, json_node_get_object(root), error) &&
           keep_head(self, json_node_get_object(root), error);
}

/* What an earlier export chose.  Without a row the files would be of whatever there is.
 */
static bool
read_head(Export *self, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(JsonNode) head = NULL;

    if (!g_file_get_contents(path, &text, NULL, error))
        return false;
    head = json_from_string(text, NULL);
    if (head != NULL && JSON_NODE_HOLDS_OBJECT(head))
        self->as_of =
            json_object_get_int_member_with_default(json_node_get_object(head), "seq", 0);
    if (self->as_of > 0)
        return true;
    proto_error_set_illegal_state(
        error, "damaged",
        "%s does not say as of which row the files are: to write "
        "them anew, move the folder away",
        path);
    return false;
}

static bool
find_head(Export *self, GError **error)
{
    g_autofree char *path = find_path(self, head_name);

    return g_file_test(path, G_FILE_TEST_EXISTS) ? read_head(self, path, error)
                                                 : choose_head(self, error);
}

/* Writing */

typedef struct {
    FILE *file;
    GChecksum *sum;
    const char *path;
} Sink;

static bool
write_text(const char *text, gpointer data, GError **error)
{
    const Sink *sink = data;
    gsize length = strlen(text);

    g_checksum_update(sink->sum, (const guchar *) text, (gssize) length);
    return fwrite(text, 1, length, sink->file) == length ||
           fail_file(sink->path, "Writing", error);
}

static bool
write_file(Export *self, const ExportFile *file, GError **error)
{
    g_autofree char *path = find_new_path(self, file->name);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    Sink sink = { fopen(path, "we"), sum, path };
    bool done = false;

    if (sink.file == NULL)
        return fail_file(path, "Making", error);
    done = ask_report(self, file, write_text, &sink, error);
    if (done && !sync_file(sink.file))
        done = fail_file(path, "Writing", error);
    fclose(sink.file);
    g_string_append_printf(self->sums, "%s  %s\n", g_checksum_get_string(sum),
                           file->name);
    return done;
}

static bool
write_files(Export *self, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        if (!write_file(self, &files[i], error))
            return false;
    }
    return true;
}

static void
remove_new(const Export *self)
{
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = find_new_path(self, files[i].name);

        g_unlink(path);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *path = find_new_path(self, texts[i]);

        g_unlink(path);
    }
}

/* What was complete stays as it is. */
static bool
check_same(const Export *self, const char *sums, GError **error)
{
    g_autofree char *old = NULL;

    if (!g_file_get_contents(sums, &old, NULL, NULL) || strcmp(old, self->sums->str) == 0)
        return true;
    proto_error_set_illegal_state(error, "differs",
                                  "%s would not be what it was: to write it anew, move "
                                  "it away",
                                  self->folder);
    return false;
}

static bool
put_files(const Export *self, GError **error)
{
    g_autofree char *sums = find_path(self, sums_name);

    if (!check_same(self, sums, error))
        return false;
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        if (!put_in_place(self, files[i].name, error))
            return false;
    }
    return sync_folder(self, error) && put_text(self, sums_name, self->sums->str, error);
}

static bool
export_window(const Options *options,
              WireClient *client,
              const char *name,
              bool is_month,
              const Window *window,
              GError **error)
{
    g_auto(Export) self = {
        .options = options,
        .client = client,
        .name = name,
        .is_month = is_month,
        .window = *window,
        .folder = g_build_filename(options->into, name, NULL),
        .sums = g_string_new(NULL),
    };
    bool done = false;

    if (g_mkdir_with_parents(self.folder, 0777) != 0)
        return fail_file(self.folder, "Making", error);
    done =
        find_head(&self, error) && write_files(&self, error) && put_files(&self, error);
    if (!done)
        remove_new(&self);
    return done;
}

/* What is exported */

static bool
export_day(const Options *options, WireClient *client, gint64 day, GError **error)
{
    g_autofree char *name = calendar_format_day(day);
    const Window window = { calendar_day_start(day), calendar_day_start(day + 1) };

    return export_window(options, client, name, false, &window, error);
}

static bool
export_month(const Options *options, WireClient *client, const char *name, GError **error)
{
    gint64 month = 0;
    Window window = { 0 };

    if (!calendar_parse_month(name, &month)) {
        proto_error_set_invalid_parameter(error, "--month", "is not a month like 2026-10",
                                          "--month %s is not a month like 2026-10", name);
        return false;
    }
    window = calendar_month_window(month);
    return export_window(options, client, name, true, &window, error);
}

static bool
is_complete(const Options *options, const char *name)
{
    g_autofree char *path = g_build_filename(options->into, name, sums_name, NULL);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static bool
export_closed(const Options *options,
              WireClient *client,
              const ProtoBillingListPeriodsReply *periods,
              GError **error)
{
    for (gsize i = 0; i < periods->n_periods; i++) {
        const ProtoBillingPeriod *period = &periods->periods[i];

        if (period->state == PERIOD_STATE_CLOSED &&
            !is_complete(options, period->period) &&
            !export_month(options, client, period->period, error))
            return false;
    }
    return true;
}

static bool
parse_day(const char *text, gint64 *ret_day)
{
    g_autofree char *midnight = g_strconcat(text, "T00:00:00Z", NULL);
    gint64 at_ms = 0;

    if (!clock_parse_time(midnight, &at_ms))
        return false;
    *ret_day = calendar_day_of(at_ms);
    return true;
}

/* The day after the last one that is complete, should some have been missed, however
 * many. */
static gint64
find_first_day(const Options *options, gint64 last)
{
    g_autoptr(GDir) folders = g_dir_open(options->into, 0, NULL);
    gint64 newest = G_MININT64;
    const char *name = NULL;
    gint64 day = 0;

    while (folders != NULL && (name = g_dir_read_name(folders)) != NULL) {
        if (parse_day(name, &day) && day < last && is_complete(options, name))
            newest = MAX(newest, day);
    }
    return newest == G_MININT64 ? last : newest + 1;
}

static bool
export_days(const Options *options, WireClient *client, GError **error)
{
    gint64 last = calendar_day_of(clock_wall_ms()) - 1;

    for (gint64 day = find_first_day(options, last); day <= last; day++) {
        if (!export_day(options, client, day, error))
            return false;
    }
    return true;
}

/* The days up to yesterday, and the months, that have come since the last time. */
static bool
export_due(const Options *options, WireClient *client, GError **error)
{
    g_auto(ProtoBillingListPeriodsReply) periods = { 0 };

    return wire_client_call(client, &proto_billing_list_periods, NULL, CALL_MS, &periods,
                            error) &&
           export_closed(options, client, &periods, error) &&
           export_days(options, client, error);
}

static bool
export_asked(const Options *options, GError **error)
{
    g_autoptr(WireClient) client = wire_client_connect(options->socket, error);
    gint64 day = 0;

    if (client == NULL)
        return false;
    if (options->month != NULL)
        return export_month(options, client, options->month, error);
    if (options->day == NULL)
        return export_due(options, client, error);
    if (!parse_day(options->day, &day)) {
        proto_error_set_invalid_parameter(error, "--day", "is not a day like 2026-10-12",
                                          "--day %s is not a day like 2026-10-12",
                                          options->day);
        return false;
    }
    return export_day(options, client, day, error);
}

static bool
read_options(Options *options, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        { "socket", 0, 0, G_OPTION_ARG_FILENAME, &options->socket,
          "The socket of vmd-meter (/run/vmd/meter.sock)", "SOCKET" },
        { "into", 0, 0, G_OPTION_ARG_FILENAME, &options->into,
          "Where the folder of the day or month is made", "DIR" },
        { "day", 0, 0, G_OPTION_ARG_STRING, &options->day, "This day", "2026-10-12" },
        { "month", 0, 0, G_OPTION_ARG_STRING, &options->month, "This month", "2026-10" },
        { "focus-version", 0, 0, G_OPTION_ARG_STRING, &options->focus_version,
          "Of which version FOCUS is (1.2)", "1.2|1.3|1.4" },
        { 0 },
    };
    g_autoptr(GOptionContext) context =
        g_option_context_new("- write what a day or a month came to; neither: the days "
                             "up to yesterday and the "
                             "closed months since the last time");

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return false;
    if (options->socket == NULL)
        options->socket = g_strdup("/run/vmd/meter.sock");
    if (options->into != NULL && (options->day == NULL || options->month == NULL))
        return true;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                "--into is needed, and --day or --month or neither");
    return false;
}

int
export_main(int argc, char **argv)
{
    g_auto(Options) options = { 0 };
    g_autoptr(GError) error = NULL;

    if (read_options(&options, &argc, &argv, &error) && export_asked(&options, &error))
        return EXIT_SUCCESS;
    g_printerr("vmd-meter export: %s\n", error->message);
    return EXIT_FAILURE;
}
