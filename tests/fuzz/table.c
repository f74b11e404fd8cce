/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <json-glib/json-glib.h>
#include <string.h>

#include "fuzz.h"
#include "render/render.h"
#include "text.h"
#include "views.h"
#include "wire/guard.h"

/*
 * Whatever a server or a guest says, a terminal gets text: valid UTF-8 without control
 * characters and without those that turn the writing direction.  The first bytes choose
 * the view and the format, the rest is a reply; what is no JSON is shown as text.
 */

static const View *const views[] = {
    &view_instances, &view_instance,     &view_created,   &view_begun,  &view_quota,
    &view_plan,      &view_templates,    &view_template,  &view_hosts,  &view_host,
    &view_operation, &view_operations,   &view_changes,   &view_events, &view_usage,
    &view_findings,  &view_usage_totals, &view_collected, &view_whoami, &view_version,
    &view_checks,
};

/* 2026-10-01T00:00:00Z */
static const gint64 now_us = G_GINT64_CONSTANT(1790812800) * G_USEC_PER_SEC;

/* Unicode's Bidi_Control. */
static bool
turns_direction(gunichar c)
{
    return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

static void
check_text(const GString *out, const char *allowed)
{
    g_assert_true(g_utf8_validate(out->str, (gssize) out->len, NULL));
    for (const char *at = out->str; at < out->str + out->len;
         at += g_utf8_skip[(guchar) *at]) {
        gunichar c = g_utf8_get_char(at);
        GUnicodeType type = g_unichar_type(c);

        if (c != 0 && c < 0x80 && strchr(allowed, (int) c) != NULL)
            continue;
        g_assert_false(type == G_UNICODE_CONTROL || type == G_UNICODE_LINE_SEPARATOR ||
                       type == G_UNICODE_PARAGRAPH_SEPARATOR || turns_direction(c));
    }
}

static void
check_json(const GString *out, JsonNode *reply)
{
    g_autoptr(JsonNode) again = json_from_string(out->str, NULL);

    g_assert_nonnull(again);
    g_assert_true(json_node_equal(again, reply));
}

static void
check_reply(const View *view, Format format, bool is_pretty, JsonNode *reply)
{
    g_autoptr(GString) out = g_string_new(NULL);
    Render render;

    render_init(&render, view, format, now_us);
    render.is_pretty = is_pretty;
    render_append(&render, reply, out);
    render_done(&render);
    check_text(out, format == FORMAT_CSV ? "\r\n" : "\n");
    if (format == FORMAT_JSON)
        check_json(out, reply);
}

static void
check_other(const char *text, size_t size)
{
    g_autoptr(GString) cell = g_string_new(NULL);
    g_autoptr(GString) console = g_string_new(NULL);

    tree_free(tree_new(text, size));
    text_append_escaped_len(cell, text, size);
    check_text(cell, "");
    text_append_console(console, text, size);
    check_text(console, "\n\t");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzBytes bytes = { data, size };
    const View *view = views[fuzz_take_byte(&bytes) % G_N_ELEMENTS(views)];
    uint8_t kind = fuzz_take_byte(&bytes);
    g_autofree char *text =
        g_strndup(bytes.left > 0 ? (const char *) bytes.at : "", bytes.left);
    g_autoptr(JsonNode) reply = NULL;

    if (!guard_check(text, bytes.left, &WIRE_LIMITS_PEER, NULL)) {
        check_other(text, bytes.left);
        return 0;
    }
    reply = json_from_string(text, NULL);
    g_assert_nonnull(reply);
    check_reply(view, (Format) (kind % (FORMAT_ID + 1)), kind >= 128, reply);
    return 0;
}
