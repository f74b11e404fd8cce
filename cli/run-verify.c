/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "run.h"
#include "store/ledger-file.h"
#include "views.h"

enum {
    LEDGER_MS = 120000,
    /* No line of an export is as long. */
    LINE_BYTES = 1024 * 1024
};

static void
tell_progress(Session *session, JsonObject *object)
{
    if (session->is_out_terminal && session->format <= FORMAT_WIDE)
        session_warn(session, "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " rows",
                     json_object_get_int_member(object, "checked"),
                     json_object_get_int_member(object, "rows"));
}

static void
tell_verdict(Session *session, JsonObject *object, guint n_faults, bool is_file)
{
    bool is_same = json_object_get_boolean_member_with_default(object, "same", FALSE);
    g_autofree char *text = NULL;

    if (session->format > FORMAT_WIDE || n_faults > 0)
        return;
    text = g_strdup_printf(
        "%" G_GINT64_FORMAT " rows, all right; the last has the hash %s%s\n",
        json_object_get_int_member(object, "checked"),
        json_object_get_string_member(object, "hash"),
        is_same || is_file
            ? ""
            : ". vmd did not answer: whether it has the same is not known");
    session_write(text, strlen(text));
}

/* Where the ledger does not go on from where it once was: no fault, and yet to be seen.
 */
static void
tell_breaks(const Session *session, JsonObject *object)
{
    JsonArray *breaks = json_object_get_array_member(object, "breaks");

    if (session->format > FORMAT_WIDE)
        return;
    for (guint i = 0; breaks != NULL && i < json_array_get_length(breaks); i++) {
        JsonObject *found = json_array_get_object_element(breaks, i);

        session_warn(session, "row %" G_GINT64_FORMAT " %s",
                     json_object_get_int_member(found, "row"),
                     json_object_get_string_member(found, "text"));
    }
}

static bool
read_verdict(Session *session, const Command *command, guint *ret_faults, GError **error)
{
    for (;;) {
        g_auto(WireReply) reply = { 0 };
        JsonObject *object = NULL;
        guint n_faults = 0;

        if (!session_receive(session, SERVICE_METER, LEDGER_MS, &reply, error))
            return false;
        object = json_node_get_object(reply.parameters);
        n_faults = json_array_get_length(json_object_get_array_member(object, "faults"));
        *ret_faults += n_faults;
        if (n_faults > 0 || (!reply.continues && session->format == FORMAT_JSON))
            session_print(session, command->view, reply.parameters);
        tell_breaks(session, object);
        if (!reply.continues) {
            tell_verdict(session, object, *ret_faults, false);
            return true;
        }
        tell_progress(session, object);
    }
}

static bool
verify_service(Session *session,
               const Arguments *arguments,
               guint *ret_faults,
               GError **error)
{
    const ProtoBillingVerifyCall in = { 0 };

    return session_send(session, SERVICE_METER, &proto_billing_verify, &in,
                        WIRE_CLIENT_MORE, error) &&
           read_verdict(session, arguments->command, ret_faults, error);
}

/* A file */

static bool
refuse(const char *what, const char *why, GError **error)
{
    proto_error_set_invalid_parameter(error, what, why, "%s: %s", what, why);
    return false;
}

/* "SEQ:HASH", as it stands in the foot of a report. */
static bool
read_known(const char *text, LedgerFileHead *ret_known, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", 2);

    if (g_strv_length(parts) == 2 &&
        g_ascii_string_to_signed(parts[0], 10, 1, G_MAXINT64, &ret_known->seq, NULL) &&
        chain_from_text(parts[1], &ret_known->hash))
        return true;
    return refuse("--head", "is not a row and its hash, SEQ:HASH", error);
}

/* A line that is longer than any of a ledger's is cut, and then cannot be read. */
static bool
read_line(FILE *stream, char *line, gsize *ret_length)
{
    gsize length = 0;
    int letter = getc_unlocked(stream);

    if (letter == EOF)
        return false;
    while (letter != EOF && letter != '\n' && length < LINE_BYTES) {
        line[length++] = (char) letter;
        letter = getc_unlocked(stream);
    }
    *ret_length = length;
    return true;
}

static bool
read_lines(FILE *stream, const char *path, LedgerFile *file, GError **error)
{
    g_autofree char *line = g_malloc(LINE_BYTES);
    gsize length = 0;

    while (read_line(stream, line, &length)) {
        if (!ledger_file_take(file, line, length))
            break;
    }
    return ferror(stream) == 0 || refuse(path, g_strerror(errno), error);
}

static void
print_verdict(Session *session,
              const Command *command,
              const ProtoBillingVerifyReply *reply)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(JsonNode) node = NULL;

    wire_struct_print(&proto_billing_verify_reply_type, reply, text);
    node = json_from_string(text->str, NULL);
    if (reply->n_faults > 0 || session->format == FORMAT_JSON)
        session_print(session, command->view, node);
    tell_breaks(session, json_node_get_object(node));
    tell_verdict(session, json_node_get_object(node), (guint) reply->n_faults, true);
}

static bool
verify_file(Session *session,
            const Arguments *arguments,
            const char *path,
            guint *ret_faults,
            GError **error)
{
    bool is_standard = strcmp(path, "-") == 0;
    const char *head = arguments_get_text(arguments, "head");
    LedgerFileHead known = { 0 };
    g_autoptr(LedgerFile) file = NULL;
    const ProtoBillingVerifyReply *reply = NULL;
    FILE *stream = NULL;
    bool done = false;

    if (head != NULL && !read_known(head, &known, error))
        return false;
    stream = is_standard ? stdin : fopen(path, "re");
    if (stream == NULL)
        return refuse(path, g_strerror(errno), error);
    file = ledger_file_new(head != NULL ? &known : NULL);
    done = read_lines(stream, path, file, error);
    if (!is_standard)
        fclose(stream);
    if (!done)
        return false;
    reply = ledger_file_end(file);
    print_verdict(session, arguments->command, reply);
    *ret_faults = (guint) reply->n_faults;
    return true;
}

bool
run_verify(Session *session, const Arguments *arguments, GError **error)
{
    const char *path = arguments_get_text(arguments, "file");
    guint n_faults = 0;
    bool done = false;

    if (path == NULL && arguments_has(arguments, "head"))
        return refuse("--head", "goes with --file", error);
    done = path != NULL ? verify_file(session, arguments, path, &n_faults, error)
                        : verify_service(session, arguments, &n_faults, error);
    if (done && n_faults > 0)
        session_fail_with(session, EXIT_FAILED);
    return done;
}
